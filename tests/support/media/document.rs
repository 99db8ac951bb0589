//! PDFs and zip bundles, whole ones and such as must be refused.

use super::{noise, page::Page};
use std::io::{Cursor, Write};

/// A one-page PDF of `size` bytes or as many as it needs: a scanned page, and noise in a stream that nothing uses.
pub fn pdf(size: usize, seed: u64) -> Vec<u8> {
    let mut document = Pdf::scanned(&[Page::default()]);
    let bare = document.bytes().len();
    let filling = size.saturating_sub(bare + 70).max(16);
    document.stream("", &noise(filling, seed));
    document.bytes()
}

/// A PDF as its objects, of which the first is the catalogue and the second the list of pages.
pub struct Pdf {
    objects: Vec<Vec<u8>>,
    trailer: String,
}

impl Pdf {
    /// One page for each scan, each a JPEG that fills it.
    pub fn scanned(pages: &[Page]) -> Self {
        let kids: Vec<_> = (0..pages.len())
            .map(|page| format!("{} 0 R", 3 + page * 3))
            .collect();
        let mut document = Pdf {
            objects: vec![
                b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
                format!(
                    "<< /Type /Pages /Kids [{}] /Count {} >>",
                    kids.join(" "),
                    pages.len()
                )
                .into_bytes(),
            ],
            trailer: String::new(),
        };
        for page in pages {
            let first = document.objects.len() + 1;
            let points = |pixels: u32| f64::from(pixels) * 72.0 / f64::from(page.dpi);
            let (wide, high) = (points(page.width), points(page.height));
            document.object(format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {wide:.2} {high:.2}] /Contents {} 0 R \
                 /Resources << /XObject << /Im {} 0 R >> >> >>",
                first + 1,
                first + 2
            ));
            document.stream(
                "",
                format!("q {wide:.2} 0 0 {high:.2} 0 0 cm /Im Do Q").as_bytes(),
            );
            document.stream(
                &format!(
                    "/Type /XObject /Subtype /Image /Width {} /Height {} /BitsPerComponent 8 \
                     /ColorSpace /DeviceGray /Filter /DCTDecode",
                    page.width, page.height
                ),
                &page.jpeg(),
            );
        }
        document
    }

    /// One page that lies in it as many images, each of so many rows, uncompressed: how printers' PCLm stores scans.
    pub fn in_strips(page: Page, rows: usize) -> Self {
        let grey = page.grey();
        let strips: Vec<&[u8]> = grey.chunks(page.width as usize * rows).collect();
        let mut document = Pdf {
            objects: vec![
                b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
                b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
            ],
            trailer: String::new(),
        };
        let points = |pixels: usize| pixels as f64 * 72.0 / f64::from(page.dpi);
        let (wide, high) = (points(page.width as usize), points(page.height as usize));
        let (mut names, mut drawn, mut top) = (String::new(), String::new(), high);
        for (number, strip) in strips.iter().enumerate() {
            let tall = points(strip.len() / page.width as usize);
            top -= tall;
            names += &format!("/S{number} {} 0 R ", 5 + number);
            drawn += &format!("q {wide:.3} 0 0 {tall:.3} 0 {top:.3} cm /S{number} Do Q\n");
        }
        document.object(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {wide:.2} {high:.2}] /Contents 4 0 R \
             /Resources << /XObject << {names} >> >> >>"
        ));
        document.stream("", drawn.as_bytes());
        for strip in strips {
            let (width, height) = (page.width, strip.len() / page.width as usize);
            document.stream(
                &format!(
                    "/Type /XObject /Subtype /Image /Width {width} /Height {height} /BitsPerComponent 8 \
                     /ColorSpace /DeviceGray"
                ),
                strip,
            );
        }
        document
    }

    /// Adds an object; gives its number.
    pub fn object(&mut self, body: impl Into<Vec<u8>>) -> usize {
        self.objects.push(body.into());
        self.objects.len()
    }

    /// Adds a stream; gives its number.
    pub fn stream(&mut self, entries: &str, content: &[u8]) -> usize {
        let head = format!("<< {entries} /Length {} >>\nstream\n", content.len());
        self.object([head.as_bytes(), content, b"\nendstream"].concat())
    }

    /// Puts entries into the catalogue, such as `/OpenAction 9 0 R`.
    pub fn catalogue(&mut self, entries: &str) {
        self.objects[0] = format!("<< /Type /Catalog /Pages 2 0 R {entries} >>").into_bytes();
    }

    /// Puts entries into every page.
    pub fn pages(&mut self, entries: &str) {
        for object in &mut self.objects {
            if let Some(rest) = object.strip_prefix(b"<< /Type /Page /") {
                *object = [b"<< /Type /Page ", entries.as_bytes(), b" /", rest].concat();
            }
        }
    }

    /// Puts entries into the trailer, such as `/Encrypt 9 0 R`.
    pub fn trailer(&mut self, entries: &str) {
        self.trailer = entries.to_owned();
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
        let mut offsets = Vec::new();
        for (object, number) in self.objects.iter().zip(1..) {
            offsets.push(bytes.len());
            bytes.extend(format!("{number} 0 obj\n").into_bytes());
            bytes.extend(object);
            bytes.extend(b"\nendobj\n");
        }
        let table = bytes.len();
        let count = offsets.len() + 1;
        bytes.extend(format!("xref\n0 {count}\n0000000000 65535 f \n").into_bytes());
        for offset in &offsets {
            bytes.extend(format!("{offset:010} 00000 n \n").into_bytes());
        }
        let trailer = &self.trailer;
        bytes.extend(
            format!("trailer\n<< /Size {count} /Root 1 0 R {trailer} >>\nstartxref\n{table}\n%%EOF\n")
                .into_bytes(),
        );
        bytes
    }
}

/// A zip of these members, deflated.
pub fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}
