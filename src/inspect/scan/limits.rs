//! What looking at a scan may cost. All limits of the scan inspector stand here.

/// Bytes of one picture or document at the most: it is held in memory whole.
pub const MAX_FILE_BYTES: u64 = 192 << 20;
/// Pixels of one side at the most.
pub const MAX_SIDE_PX: u32 = 20_000;
/// Pixels of one page or image at the most.
pub const MAX_PAGE_PX: u64 = 200_000_000;
/// Bytes that a decoder may hold for one page besides the file.
pub const MAX_PAGE_BYTES: u64 = 512 << 20;
/// Pixels decoded of one upload at the most, repeated images of a PDF counted once.
pub const MAX_TOTAL_PX: u64 = 8_000_000_000;
/// Pages decoded at the most.
pub const MAX_DECODED_PAGES: usize = 2_000;
/// Pages of all members together that a bundle's report describes.
pub const MAX_LISTED_PAGES: usize = 4_000;
/// Images drawn on one PDF page at the most.
pub const MAX_PAGE_IMAGES: usize = 10_000;
/// Pixels of the longer side when a PDF page has to be drawn.
pub const RENDER_SIDE_PX: f32 = 800.0;
/// Objects of a PDF looked at for actions and attachments.
pub const MAX_PDF_OBJECTS: usize = 2_000_000;
/// Arrays and dictionaries of a PDF that open one right inside the other.
pub const MAX_NESTING: u32 = 256;
/// Bytes of a bundle, unpacked, at the most.
pub const MAX_BUNDLE_BYTES: u64 = 8 << 30;
/// Room left for what comes after fitting.
pub const REPORT_SLACK_BYTES: usize = 4 << 10;

/// What is left of the pixels and pages that one upload may have decoded.
#[derive(Debug)]
pub struct Budget {
    pixels: u64,
    pages: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            pixels: MAX_TOTAL_PX,
            pages: MAX_DECODED_PAGES,
        }
    }
}

impl Budget {
    /// Takes a picture's pixels; says why not when they are too many.
    ///
    /// # Errors
    /// A text for the fault's detail.
    pub fn take_pixels(&mut self, width: u32, height: u32) -> Result<(), String> {
        let pixels = u64::from(width) * u64::from(height);
        if width > MAX_SIDE_PX || height > MAX_SIDE_PX || pixels > MAX_PAGE_PX {
            return Err(format!("{width} x {height} pixels are more than is decoded"));
        }
        match self.pixels.checked_sub(pixels) {
            Some(left) => self.pixels = left,
            None => return Err("more pixels in all than are decoded".to_owned()),
        }
        Ok(())
    }

    /// Takes a page.
    ///
    /// # Errors
    /// A text for the fault's detail.
    pub fn take_page(&mut self) -> Result<(), String> {
        match self.pages.checked_sub(1) {
            Some(left) => self.pages = left,
            None => return Err(format!("more than {MAX_DECODED_PAGES} pages")),
        }
        Ok(())
    }
}
