use super::*;
use crate::inspect::scan::samples;
use jpeg_encoder::{ColorType, SamplingFactor};

/// A page that is white but for its text, as this encoder makes it.
fn page(color: ColorType, set: impl FnOnce(&mut jpeg_encoder::Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let grey = samples::written(620, 877);
    let pixels: Vec<u8> = match color {
        ColorType::Luma => grey,
        _ => grey.iter().flat_map(|&luma| [luma; 3]).collect(),
    };
    samples::jpeg(&pixels, (620, 877), color, set)
}

#[test]
fn whole_pictures_have_no_holes() {
    assert_eq!(jpeg(&page(ColorType::Luma, |_| {})), None);
    assert_eq!(jpeg(&page(ColorType::Rgb, |_| {})), None);
    let progressive = page(ColorType::Rgb, |encoder| encoder.set_progressive(true));
    assert_eq!(jpeg(&progressive), None);
    let optimised = page(ColorType::Luma, |encoder| {
        encoder.set_optimized_huffman_tables(true)
    });
    assert_eq!(jpeg(&optimised), None);
    let restarting = page(ColorType::Rgb, |encoder| {
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder.set_restart_interval(8);
    });
    assert_eq!(jpeg(&restarting), None);
    let blank = samples::jpeg(&vec![255; 620 * 877], (620, 877), ColorType::Luma, |encoder| {
        encoder.set_optimized_huffman_tables(true);
    });
    assert_eq!(jpeg(&blank), None, "all zeros, and rightly so");
}

#[test]
fn a_hole_in_a_picture_is_found() {
    for (color, optimised) in [
        (ColorType::Luma, false),
        (ColorType::Rgb, false),
        (ColorType::Luma, true),
    ] {
        let mut bytes = page(color, |encoder| encoder.set_optimized_huffman_tables(optimised));
        let middle = bytes.len() / 2;
        bytes[middle..middle + 512].fill(0);
        let fault = jpeg(&bytes).unwrap();
        assert_eq!(fault.code, FaultCode::DataMissing);
    }
}

#[test]
fn zeros_in_group_4_are_a_hole_unless_they_are_padding() {
    let mut data = vec![0x5A; 100];
    data.extend([0x00, 0x10, 0x01]);
    assert_eq!(group4(&data), None);
    let padded = [&data[..], &[0; 60]].concat();
    assert_eq!(group4(&padded), None);
    let holed = [&data[..], &[0; 60], &data[..]].concat();
    assert_eq!(
        group4(&holed).map(|fault| fault.code),
        Some(FaultCode::DataMissing)
    );
    let lost_end = [&data[..100], &[0; 60]].concat();
    assert!(group4(&lost_end).is_some());
    let holed_and_padded = [&data[..50], &[0; 40], &data[50..], &[0; 60]].concat();
    assert!(group4(&holed_and_padded).is_some(), "more padding than hole");
}

#[test]
fn zeros_in_lzw_are_a_hole_unless_they_are_padding() {
    assert_eq!(lzw(&[&[0x80; 9][..], &[0; 40]].concat()), None);
    assert!(lzw(&[&[0x80; 9][..], &[0; 40], &[1]].concat()).is_some());
    assert!(lzw(&[&[0x80; 9][..], &[0; 40], &[1], &[0; 60]].concat()).is_some());
}

#[test]
fn any_bytes_end_the_walk() {
    let whole = page(ColorType::Rgb, |_| {});
    for length in 0..whole.len().min(2_000) {
        let _ = jpeg(&whole[..length]);
    }
    let _ = jpeg(&[0xFF; 64]);
    let _ = jpeg(&[0xFF, 0xD8, 0xFF, 0xDA, 0, 3, 9]);
    let _ = jpeg(&[0xFF, 0xD8, 0xFF, 0xC4, 0xFF, 0xFF, 1]);
}

#[test]
fn the_longest_run_is_found_wherever_it_lies() {
    let slow = |data: &[u8], most: usize| {
        let runs = (0..data.len()).map(|start| {
            let zeros = data[start..].iter().take_while(|&&byte| byte == 0);
            (start, zeros.count())
        });
        let longest = runs.rev().max_by_key(|run| run.1)?;
        (longest.1 > most).then_some(longest)
    };
    for start in 0..40 {
        for length in 0..40 {
            for (other, most) in [(0, 4), (7, 4), (11, 16), (30, 16)] {
                let mut data = [7; 120];
                data[start..start + length].fill(0);
                data[80 + start..120]
                    .iter_mut()
                    .take(other)
                    .for_each(|byte| *byte = 0);
                assert_eq!(
                    run(&data, most),
                    slow(&data, most),
                    "{start} {length} {other} {most}"
                );
            }
        }
    }
}
