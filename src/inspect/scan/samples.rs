//! Pictures, documents and bundles made on the spot, by encoders that share no code with the decoders.

use crate::ingest::structure::Container;
use jpeg_encoder::{ColorType, Encoder, PixelDensity};
use lopdf::{Document, Object, Stream, content::Content, content::Operation, dictionary};
use std::io::{Cursor, Write};
use tiff::{
    encoder::{Compression, DeflateLevel, Rational, TiffEncoder, colortype},
    tags::{ResolutionUnit, Tag},
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// Grey pixels with lines of "text" on them.
pub(super) fn written(width: usize, height: usize) -> Vec<u8> {
    let dark = |x: usize, y: usize| {
        let inside = (width / 8..width * 7 / 8).contains(&x) && (height / 8..height * 7 / 8).contains(&y);
        inside && y % 40 < 14 && x % 9 < 3
    };
    (0..width * height)
        .map(|at| if dark(at % width, at / width) { 20 } else { 245 })
        .collect()
}

/// A JPEG with whatever `set` sets.
pub(super) fn jpeg(
    pixels: &[u8],
    (width, height): (u16, u16),
    color: ColorType,
    set: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    set(&mut encoder);
    encoder.encode(pixels, width, height, color).unwrap();
    bytes
}

/// A page of text as JPEG, 300 dots an inch.
pub(super) fn page_jpeg() -> Vec<u8> {
    jpeg(&written(620, 877), (620, 877), ColorType::Luma, |encoder| {
        encoder.set_density(PixelDensity::dpi(300));
    })
}

/// EXIF: orientation, resolution in dots a centimetre, a date.
pub(super) fn exif(orientation: u8, per_centimetre: u32) -> Vec<u8> {
    let mut block = b"MM\0\x2A\0\0\0\x08\0\x05".to_vec();
    let end = 8 + 2 + 5 * 12 + 4u32;
    let mut entry = |tag: u16, kind: u16, count: u32, value: u32| {
        block.extend(tag.to_be_bytes());
        block.extend(kind.to_be_bytes());
        block.extend(count.to_be_bytes());
        block.extend(value.to_be_bytes());
    };
    entry(0x0112, 3, 1, u32::from(orientation) << 16);
    entry(0x011A, 5, 1, end);
    entry(0x011B, 5, 1, end);
    entry(0x0128, 3, 1, 3 << 16);
    entry(0x0132, 2, 20, end + 8);
    block.extend([0; 4]);
    block.extend(per_centimetre.to_be_bytes());
    block.extend(1u32.to_be_bytes());
    block.extend(b"2026:07:28 15:04:05\0");
    block
}

/// A PNG of this colour type and depth; `density` in dots a metre.
pub(super) fn png(
    data: &[u8],
    (width, height): (u32, u32),
    color: png::ColorType,
    depth: png::BitDepth,
    density: Option<u32>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == png::ColorType::Indexed {
        encoder.set_palette(vec![0, 0, 0, 255, 255, 255]);
    }
    encoder.set_pixel_dims(density.map(|dots| png::PixelDimensions {
        xppu: dots,
        yppu: dots,
        unit: png::Unit::Meter,
    }));
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A TIFF of pages of text, one for each compression, 200 dots an inch, the given orientation.
pub(super) fn tiff(big: bool, orientation: u16) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let compressions = [
        Compression::Uncompressed,
        Compression::Lzw,
        Compression::Deflate(DeflateLevel::Fast),
        Compression::Packbits,
    ];
    fn pages<K: tiff::encoder::TiffKind>(
        mut encoder: TiffEncoder<&mut Cursor<Vec<u8>>, K>,
        compressions: &[Compression],
        orientation: u16,
    ) {
        for compression in compressions {
            encoder = encoder.with_compression(*compression);
            let mut image = encoder.new_image::<colortype::Gray8>(400, 560).unwrap();
            image.resolution(ResolutionUnit::Inch, Rational { n: 200, d: 1 });
            image.encoder().write_tag(Tag::Orientation, orientation).unwrap();
            image.write_data(&written(400, 560)).unwrap();
        }
    }
    if big {
        pages(
            TiffEncoder::new_big(&mut file).unwrap(),
            &compressions,
            orientation,
        );
    } else {
        pages(TiffEncoder::new(&mut file).unwrap(), &compressions, orientation);
    }
    file.into_inner()
}

/// What a page of a made document has on it.
pub(super) enum On {
    /// A JPEG of 620 x 877 pixels, drawn so many points wide; and what else the content says.
    Picture(Vec<u8>, i64),
    /// Lines and areas.
    Drawing(&'static [u8]),
}

/// A PDF of these pages, A4, with a hook to add to the catalogue.
pub(super) fn pdf(pages: Vec<On>, rotate: i64, add: impl FnOnce(&mut Document, lopdf::ObjectId)) -> Vec<u8> {
    let mut document = Document::with_version("1.5");
    let tree = document.new_object_id();
    let mut kids = Vec::new();
    for page in pages {
        let (content, resources) = match page {
            On::Drawing(content) => (content.to_vec(), dictionary! {}),
            On::Picture(jpeg, points) => {
                let dict = dictionary! {
                    "Type" => "XObject", "Subtype" => "Image", "Width" => 620, "Height" => 877,
                    "ColorSpace" => "DeviceGray", "BitsPerComponent" => 8, "Filter" => "DCTDecode",
                };
                let image = document.add_object(Stream::new(dict, jpeg).with_compression(false));
                let matrix = [points, 0, 0, points * 877 / 620, 0, 0]
                    .map(Object::from)
                    .to_vec();
                let content = Content {
                    operations: vec![
                        Operation::new("cm", matrix),
                        Operation::new("Do", vec!["Im".into()]),
                    ],
                };
                let objects = dictionary! { "XObject" => dictionary! { "Im" => image } };
                (content.encode().unwrap(), objects)
            }
        };
        let content = document.add_object(Stream::new(dictionary! {}, content));
        kids.push(Object::from(document.add_object(dictionary! {
            "Type" => "Page", "Parent" => tree, "Contents" => content, "Resources" => resources,
            "Rotate" => rotate,
            "MediaBox" => vec![0.into(), 0.into(), 595.into(), 842.into()],
        })));
    }
    let count = kids.len() as i64;
    document.objects.insert(
        tree,
        dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => count }.into(),
    );
    let catalogue = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => tree });
    document.trailer.set("Root", catalogue);
    add(&mut document, catalogue);
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

/// A zip of these members, stored or deflated.
pub(super) fn zip(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, content) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A head that is taken for an MP4.
pub(super) fn recording() -> Vec<u8> {
    let bytes = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2".repeat(20);
    assert_eq!(Container::detect(&bytes), Some(Container::Iso));
    bytes
}
