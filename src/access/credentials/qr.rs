//! A QR code as an SVG picture, for an `img` with a `data:` address: nothing of it is markup of the page.

use base64::{Engine, engine::general_purpose::STANDARD};
use qrcode::{Color, EcLevel, QrCode};
use std::fmt::Write;

/// Light modules around the code, as ISO 18004 wants.
const QUIET: usize = 4;

/// `data:image/svg+xml;base64,…`, or nothing for a text that no code can hold.
pub(super) fn data_uri(text: &str) -> Option<String> {
    Some(format!(
        "data:image/svg+xml;base64,{}",
        STANDARD.encode(svg(text)?)
    ))
}

fn svg(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let (width, side) = (code.width(), code.width() + 2 * QUIET);
    let mut path = String::new();
    for (at, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (at % width + QUIET, at / width + QUIET);
            write!(path, "M{x} {y}h1v1h-1z").ok()?;
        }
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_three_corners_and_a_quiet_zone() {
        let svg = svg("otpauth://totp/Muniment:zhang.san?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        // The outer ring of the finder pattern in the upper left corner: seven dark modules in a row.
        for x in QUIET..QUIET + 7 {
            assert!(svg.contains(&format!("M{x} {QUIET}h1")), "{x}");
        }
        assert!(!svg.contains(&format!("M{} {QUIET}h1", QUIET + 7)));
        assert!(!svg.contains("M3 ") && !svg.contains(" 3h1"));
        assert!(
            data_uri("x")
                .unwrap()
                .starts_with("data:image/svg+xml;base64,PHN2Zy")
        );
        assert_eq!(data_uri(&"x".repeat(10_000)), None);
    }
}
