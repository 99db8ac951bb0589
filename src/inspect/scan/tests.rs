//! Whole files in, reports out.

use super::{
    inspect,
    samples::{self, On, exif, jpeg, page_jpeg, pdf, png, tiff, written, zip},
};
use crate::inspect::report::{FaultCode, Page, Report};
use ::png::{BitDepth, ColorType as PngColor};
use jpeg_encoder::{ColorType, PixelDensity};
use lopdf::dictionary;
use std::io::Cursor;
use zip::CompressionMethod;

fn report(bytes: &[u8], ext: &str) -> Report {
    let report = inspect(Cursor::new(bytes), ext, bytes.len() as u64).unwrap();
    report.check().unwrap();
    report
}

fn codes(report: &Report) -> Vec<FaultCode> {
    report.faults.iter().map(|fault| fault.code).collect()
}

/// The pages of a file without faults.
fn good(bytes: &[u8], ext: &str) -> Vec<Page> {
    let report = report(bytes, ext);
    assert_eq!(report.faults, [], "{ext}");
    report.scan.unwrap().pages
}

#[test]
fn jpegs_of_every_kind_are_decoded_and_described() {
    let size = (620, 877);
    let grey = written(620, 877);
    let colour: Vec<u8> = grey.iter().flat_map(|&value| [value; 3]).collect();
    let inks: Vec<u8> = grey.iter().flat_map(|&value| [0, 0, 0, 255 - value]).collect();
    for (pixels, color, bits) in [
        (&grey, ColorType::Luma, 8),
        (&colour, ColorType::Rgb, 24),
        (&inks, ColorType::Cmyk, 32),
        (&inks, ColorType::CmykAsYcck, 32),
    ] {
        for progressive in [false, true] {
            let bytes = jpeg(pixels, size, color, |encoder| {
                encoder.set_density(PixelDensity::dpi(300));
                encoder.set_progressive(progressive);
            });
            let expected = Page {
                width_px: 620,
                height_px: 877,
                dpi: Some(300),
                bits_per_pixel: bits,
                ..Page::default()
            };
            assert_eq!(
                good(&bytes, "jpg"),
                [expected],
                "{color:?}, progressive {progressive}"
            );
        }
    }
}

#[test]
fn exif_says_which_way_up_how_fine_and_when() {
    for (orientation, degrees) in [(1, 0), (3, 180), (6, 90), (8, 270)] {
        let bytes = jpeg(&written(620, 877), (620, 877), ColorType::Luma, |encoder| {
            encoder.add_exif_metadata(&exif(orientation, 118)).unwrap();
        });
        let report = report(&bytes, "jpeg");
        assert_eq!(report.faults, []);
        let scan = report.scan.unwrap();
        assert_eq!((scan.pages[0].rotation, scan.pages[0].dpi), (degrees, Some(300)));
        assert_eq!(scan.created.as_deref(), Some("2026:07:28 15:04:05"));
    }
}

#[test]
fn an_empty_page_is_blank_in_every_format() {
    let paper = vec![240; 620 * 877];
    let jpeg = jpeg(&paper, (620, 877), ColorType::Luma, |_| {});
    assert!(good(&jpeg, "jpg")[0].blank);
    let png = png(&paper, (620, 877), PngColor::Grayscale, BitDepth::Eight, None);
    assert!(good(&png, "png")[0].blank);
    let document = pdf(
        vec![
            On::Picture(jpeg, 595),
            On::Drawing(b"1 1 1 rg 10 10 300 300 re f"),
        ],
        0,
        |_, _| {},
    );
    let pages = good(&document, "pdf");
    assert!(pages[0].blank && pages[1].blank, "{pages:?}");
}

#[test]
fn truncation_and_trailing_bytes_are_found_at_every_cut() {
    let samples = [
        (page_jpeg(), "jpg"),
        (
            png(
                &written(620, 877),
                (620, 877),
                PngColor::Grayscale,
                BitDepth::Eight,
                None,
            ),
            "png",
        ),
        (tiff(false, 1), "tif"),
        (pdf(vec![On::Picture(page_jpeg(), 595)], 0, |_, _| {}), "pdf"),
        (
            zip(&[("a.jpg", &page_jpeg())], CompressionMethod::Deflated),
            "zip",
        ),
    ];
    for (whole, ext) in samples {
        good_or_bundle(&whole, ext);
        for permille in [100, 500, 900, 999] {
            let cut = &whole[..whole.len() * permille / 1_000];
            let found = codes(&report(cut, ext));
            assert!(
                found.contains(&FaultCode::Truncated),
                "{ext} at {permille}: {found:?}"
            );
        }
        if ext != "tif" {
            let longer = [whole.as_slice(), b"after the end"].concat();
            let found = codes(&report(&longer, ext));
            let end = matches!(
                found[..],
                [FaultCode::TrailingBytes, ..] | [FaultCode::Truncated, ..] | [FaultCode::ArchiveDamaged]
            );
            assert!(end, "{ext}: {found:?}");
        }
    }
}

fn good_or_bundle(bytes: &[u8], ext: &str) {
    assert_eq!(report(bytes, ext).faults, [], "{ext}");
}

#[test]
fn damage_inside_is_found_where_the_format_can_tell() {
    let mut hole = page_jpeg();
    let middle = hole.len() / 2;
    hole[middle..middle + 2_000].fill(0xFF);
    assert_ne!(codes(&report(&hole, "jpg")), []);
    let mut flipped = png(
        &written(620, 877),
        (620, 877),
        PngColor::Grayscale,
        BitDepth::Eight,
        None,
    );
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    assert!(codes(&report(&flipped, "png")).contains(&FaultCode::DataMissing));
}

#[test]
fn names_that_say_something_else_and_strangers() {
    let report_of = |bytes: &[u8], ext| codes(&report(bytes, ext));
    assert_eq!(report_of(&page_jpeg(), "pdf"), [FaultCode::WrongExtension]);
    assert_eq!(report_of(b"", "jpg"), [FaultCode::Empty]);
    assert_eq!(report_of(&[0; 4_096], "jpg"), [FaultCode::DataMissing]);
    assert_eq!(report_of(b"MZ is a program", "jpg"), [FaultCode::Unreadable]);
    let recording = samples::recording();
    assert_eq!(report(&recording, "pdf").container, "mp4");
    assert_eq!(report_of(&recording, "pdf"), [FaultCode::WrongExtension]);
}

#[test]
fn pngs_of_every_colour_type() {
    let size = (200, 280);
    let grey = written(200, 280);
    let each = |samples: usize| -> Vec<u8> {
        let alpha = samples.is_multiple_of(2);
        grey.iter()
            .flat_map(|&value| {
                (0..samples).map(move |sample| {
                    if alpha && sample + 1 == samples {
                        255
                    } else {
                        value
                    }
                })
            })
            .collect()
    };
    let bits: Vec<u8> = grey
        .chunks(8)
        .map(|eight| {
            eight
                .iter()
                .fold(0, |byte, &value| byte << 1 | u8::from(value > 128))
        })
        .collect();
    let wide: Vec<u8> = grey.iter().flat_map(|&value| [value; 2]).collect();
    for (data, color, depth, per_pixel) in [
        (&grey, PngColor::Grayscale, BitDepth::Eight, 8),
        (&bits, PngColor::Grayscale, BitDepth::One, 1),
        (&wide, PngColor::Grayscale, BitDepth::Sixteen, 16),
        (&bits, PngColor::Indexed, BitDepth::One, 1),
        (&each(2), PngColor::GrayscaleAlpha, BitDepth::Eight, 16),
        (&each(3), PngColor::Rgb, BitDepth::Eight, 24),
        (&each(4), PngColor::Rgba, BitDepth::Eight, 32),
    ] {
        let bytes = png(data, size, color, depth, Some(11_811));
        let expected = Page {
            width_px: 200,
            height_px: 280,
            dpi: Some(300),
            bits_per_pixel: per_pixel,
            ..Page::default()
        };
        assert_eq!(good(&bytes, "png"), [expected], "{color:?} {depth:?}");
    }
}

#[test]
fn every_page_of_a_tiff_and_a_bigtiff_is_described() {
    for big in [false, true] {
        let pages = good(&tiff(big, 6), "tif");
        let expected = Page {
            width_px: 400,
            height_px: 560,
            dpi: Some(200),
            rotation: 90,
            bits_per_pixel: 8,
            ..Page::default()
        };
        assert_eq!(pages, vec![expected; 4], "big {big}");
    }
}

#[test]
fn dots_an_inch_of_a_pdf_are_pixels_over_the_inches_they_are_drawn_at() {
    let document = pdf(
        vec![
            On::Picture(page_jpeg(), 595),
            On::Picture(page_jpeg(), 298),
            On::Drawing(b"2 w 100 100 m 400 700 l S 100 700 m 400 100 l S"),
            On::Drawing(b""),
        ],
        90,
        |_, _| {},
    );
    let pages = good(&document, "pdf");
    let described: Vec<_> = pages
        .iter()
        .map(|page| (page.width_px, page.dpi, page.vector, page.blank, page.rotation))
        .collect();
    assert_eq!(
        described,
        [
            (620, Some(75), false, false, 90),
            (620, Some(150), false, false, 90),
            (0, None, true, false, 90),
            (0, None, false, true, 90),
        ]
    );
}

#[test]
fn a_picture_in_a_pdf_is_held_to_the_same_standard() {
    let mut broken = page_jpeg();
    broken.truncate(broken.len() / 2);
    let report = report(&pdf(vec![On::Picture(broken, 595)], 0, |_, _| {}), "pdf");
    assert_eq!(codes(&report), [FaultCode::DecodeError]);
    assert_eq!(report.faults[0].page, Some(1));
    assert!(
        !report.scan.unwrap().pages[0].blank,
        "what can't be seen isn't blank"
    );
}

#[test]
fn scripts_and_attachments_of_a_pdf_are_flagged() {
    let with = |add: fn(&mut lopdf::Document, lopdf::ObjectId)| {
        codes(&report(&pdf(vec![On::Picture(page_jpeg(), 595)], 0, add), "pdf"))
    };
    let script = with(|document, catalogue| {
        let action =
            dictionary! { "S" => "JavaScript", "JS" => lopdf::Object::string_literal("app.alert(1)") };
        let action = document.add_object(action);
        document
            .get_dictionary_mut(catalogue)
            .unwrap()
            .set("OpenAction", action);
    });
    assert_eq!(script, [FaultCode::ActiveContent]);
    let launch = with(|document, catalogue| {
        let action = dictionary! { "OpenAction" => dictionary! { "S" => "Launch" } };
        document.get_dictionary_mut(catalogue).unwrap().extend(&action);
    });
    assert_eq!(launch, [FaultCode::ActiveContent]);
    let attachment = with(|document, _| {
        let dict = dictionary! { "Type" => "EmbeddedFile" };
        document.add_object(lopdf::Stream::new(dict, b"MZ".to_vec()));
    });
    assert_eq!(attachment, [FaultCode::Attachments]);
    let harmless = with(|document, catalogue| {
        let view = vec!["Fit".into()];
        document
            .get_dictionary_mut(catalogue)
            .unwrap()
            .set("OpenAction", view);
    });
    assert_eq!(harmless, []);
}

/// hayro-syntax 0.6 skips a `+` by itself as a number and panics when it reads it: `[ + ]` was a curtain for what came after.
#[test]
fn an_object_that_the_parser_gives_up_on_hides_nothing_beside_it() {
    // An array that is written at its length and then made unreadable, so that offsets stay.
    let curtain = || lopdf::Object::from(vec![7_777_777.into()]);
    let broken = |mut bytes: Vec<u8>| {
        let written = b"[7777777";
        let places: Vec<usize> = (0..bytes.len())
            .filter(|at| bytes[*at..].starts_with(written))
            .collect();
        assert!(!places.is_empty());
        for at in places {
            bytes[at..at + written.len()].copy_from_slice(b"[+      ");
        }
        bytes
    };
    let with = |add: fn(&mut lopdf::Document, lopdf::Object)| {
        let made = pdf(vec![On::Picture(page_jpeg(), 595)], 0, |document, _| {
            add(document, curtain());
        });
        codes(&report(&broken(made), "pdf"))
    };
    let alone = with(|document, curtain| {
        document.add_object(curtain);
    });
    assert_eq!(alone, [FaultCode::DecodeError]);
    let after = with(|document, curtain| {
        document.add_object(curtain);
        document.add_object(dictionary! { "S" => "JavaScript" });
    });
    let beside = with(|document, curtain| {
        let action = dictionary! { "S" => "Launch" };
        document.add_object(dictionary! { "A" => curtain.clone(), "B" => action, "C" => curtain });
    });
    let behind = with(|document, curtain| {
        let lopdf::Object::Array(mut items) = curtain else {
            unreachable!()
        };
        items.push(dictionary! { "S" => "SubmitForm" }.into());
        document.add_object(items);
    });
    for found in [after, beside, behind] {
        assert!(found.contains(&FaultCode::ActiveContent), "{found:?}");
        assert!(found.contains(&FaultCode::DecodeError), "{found:?}");
    }
    let attached = with(|document, curtain| {
        document.add_object(curtain);
        let dict = dictionary! { "Type" => "EmbeddedFile" };
        document.add_object(lopdf::Stream::new(dict, b"MZ".to_vec()));
    });
    assert!(attached.contains(&FaultCode::Attachments), "{attached:?}");
}

#[test]
fn objects_nested_without_end_are_refused_before_they_are_followed() {
    let mut bytes = b"%PDF-1.4\n1 0 obj\n".to_vec();
    bytes.extend(b"[".repeat(100_000));
    bytes.extend(b"\nstartxref\n0\n%%EOF\n");
    assert!(codes(&report(&bytes, "pdf")).contains(&FaultCode::Undecodable));
}

#[test]
fn every_member_of_a_bundle_is_looked_at() {
    let mut broken = page_jpeg();
    broken.truncate(broken.len() / 2);
    let recording = samples::recording();
    let members: [(&str, &[u8]); 6] = [
        ("扫描/a.jpg", &page_jpeg()),
        ("b.jpg", &broken),
        ("video.mp4", &recording),
        ("manifest.csv", b"file,sha256\n"),
        ("run.exe", b"MZ is a program"),
        ("inner.zip", &zip(&[("a.txt", b"a")], CompressionMethod::Stored)),
    ];
    let bytes = zip(&members, CompressionMethod::Stored);
    let report = report(&bytes, "zip");
    let found: Vec<_> = report
        .faults
        .iter()
        .map(|fault| (fault.code, fault.member.as_deref().unwrap()))
        .collect();
    assert!(found.contains(&(FaultCode::Truncated, "b.jpg")), "{found:?}");
    assert!(
        found.contains(&(FaultCode::ArchiveNested, "inner.zip")),
        "{found:?}"
    );
    assert!(
        found.contains(&(FaultCode::MemberUnknown, "run.exe")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .all(|(_, member)| ["b.jpg", "inner.zip", "run.exe"].contains(member))
    );
    let bundle = report.bundle.unwrap();
    assert_eq!(bundle.member_count, 6);
    let kinds: Vec<_> = bundle
        .members
        .iter()
        .map(|member| member.container.as_str())
        .collect();
    assert_eq!(kinds, ["jpeg", "jpeg", "mp4", "unknown", "unknown", "zip"]);
    assert_eq!(bundle.members[0].name, "扫描/a.jpg");
    assert_eq!(bundle.members[0].scan.as_ref().unwrap().pages[0].dpi, Some(300));
    let at = bundle.members[2].stored_at.unwrap() as usize;
    assert_eq!(bytes[at..at + recording.len()], recording);
    assert!(
        bundle.members[0].stored_at.is_none(),
        "only recordings are looked at in their place"
    );
}

#[test]
fn a_deflated_recording_has_no_place() {
    let bytes = zip(
        &[("video.mp4", &samples::recording())],
        CompressionMethod::Deflated,
    );
    let report = report(&bytes, "zip");
    assert_eq!(codes(&report), [FaultCode::MemberUnknown]);
    assert!(report.faults[0].detail.contains("store"));
    assert_eq!(report.bundle.unwrap().members[0].stored_at, None);
}

#[test]
fn dangerous_bundles_are_refused_by_their_own_code() {
    let of = |members: &[(&str, &[u8])], method| codes(&report(&zip(members, method), "zip"));
    let stored = CompressionMethod::Stored;
    assert_eq!(of(&[("../a.txt", b"a")], stored), [FaultCode::ArchivePath]);
    assert_eq!(of(&[("/a.txt", b"a")], stored), [FaultCode::ArchivePath]);
    assert_eq!(of(&[("C:\\a.txt", b"a")], stored), [FaultCode::ArchivePath]);
    assert_eq!(
        of(&[("a.txt", b"a"), ("A.TXT", b"b")], stored),
        [FaultCode::ArchiveDuplicate]
    );
    let composed = [("\u{e9}.txt", b"a" as &[u8]), ("e\u{301}.txt", b"b")];
    assert_eq!(of(&composed, stored), [FaultCode::ArchiveDuplicate]);
    let zeros = vec![0; 8 << 20];
    assert_eq!(
        of(&[("a.txt", &zeros)], CompressionMethod::Deflated),
        [FaultCode::ArchiveBomb]
    );
    let prefixed = [b"prefix".as_slice(), &zip(&[("a.txt", b"a")], stored)].concat();
    assert_eq!(
        codes(&report(&prefixed, "zip")),
        [FaultCode::Unreadable],
        "it doesn't begin as a zip"
    );
    let mut damaged = zip(&[("a.txt", &[b'a'; 500])], stored);
    damaged[100] ^= 1;
    assert_eq!(codes(&report(&damaged, "zip")), [FaultCode::ArchiveDamaged]);
}

#[test]
fn names_in_gbk_are_decoded_and_encrypted_members_refused() {
    let (gbk, ..) = encoding_rs::GB18030.encode("客户.jpg");
    let stand_in = "x".repeat(gbk.len());
    let mut bytes = zip(&[(stand_in.as_str(), &page_jpeg())], CompressionMethod::Stored);
    while let Some(at) = bytes
        .windows(stand_in.len())
        .position(|window| window == stand_in.as_bytes())
    {
        bytes[at..at + gbk.len()].copy_from_slice(&gbk);
    }
    let gbk = report(&bytes, "zip");
    assert_eq!(gbk.faults, []);
    assert_eq!(gbk.bundle.unwrap().members[0].name, "客户.jpg");

    // APPNOTE 4.4.4: bit 0 of the flags, in the member's own header and in the directory.
    let mut locked = zip(&[("a.txt", b"a")], CompressionMethod::Stored);
    let directory = locked
        .windows(4)
        .position(|window| window == b"PK\x01\x02")
        .unwrap();
    locked[6] |= 1;
    locked[directory + 8] |= 1;
    assert_eq!(codes(&report(&locked, "zip")), [FaultCode::Encrypted]);
}

#[test]
fn a_pdf_behind_a_password_says_so() {
    let document = pdf(vec![On::Picture(page_jpeg(), 595)], 0, |document, _| {
        let id = lopdf::Object::string_literal("0123456789abcdef");
        document.trailer.set("ID", vec![id.clone(), id]);
        let version = lopdf::EncryptionVersion::V2 {
            document,
            owner_password: "owner",
            user_password: "user",
            key_length: 128,
            permissions: lopdf::Permissions::all(),
        };
        let state = lopdf::EncryptionState::try_from(version).unwrap();
        document.encrypt(&state).unwrap();
    });
    assert_eq!(codes(&report(&document, "pdf")), [FaultCode::Encrypted]);
}

#[test]
fn pictures_beyond_the_limits_are_not_decoded() {
    let mut jpeg = page_jpeg();
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF]);
    assert_eq!(codes(&report(&jpeg, "jpg")), [FaultCode::LimitExceeded]);
}

#[test]
fn a_bundle_of_very_many_pages_still_fits_its_report() {
    let pages = tiff(false, 1);
    let names: Vec<String> = (0..1_100).map(|number| format!("{:0200}.tif", number)).collect();
    let mut big = super::Report::new("test", super::Tier::Gate, "zip", 1);
    let scan = report(&pages, "tif").scan;
    big.bundle = Some(super::Bundle {
        member_count: names.len() as u32,
        members: names
            .iter()
            .map(|name| crate::inspect::report::Member {
                name: name.clone(),
                scan: scan.clone(),
                ..Default::default()
            })
            .collect(),
    });
    let fitted = super::fit(big);
    assert!(serde_json::to_vec(&fitted).unwrap().len() <= super::MAX_REPORT_BYTES);
    assert_eq!(codes(&fitted), [FaultCode::LimitExceeded]);
}
