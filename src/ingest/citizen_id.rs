//! Citizen id numbers (GB 11643) in names: personal data that must not reach paths, logs or receipts.
//!
//! A refusal never repeats the number it found.

use jiff::civil::Date;

use crate::domain::reason::Reason;

const LENGTH: usize = 18;
/// GB 11643-1999, annex: weights of the first 17 digits, and the check character for each remainder mod 11.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS: [char; 11] = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'];

/// Refuses text that contains a citizen id number with `citizen_id`.
pub fn refuse(text: &str, today: Date) -> Result<(), Reason> {
    if !contains(text, today) {
        return Ok(());
    }
    Err(Reason::new(
        "citizen_id",
        "the name contains a citizen id number; use the customer number instead",
        "文件名中含有居民身份证号码，请改用客户编号命名",
    ))
}

/// Whether the text contains an 18-character citizen id number with a birth date from 1900 to `today` and a valid check
/// character, standing by itself and not inside a longer run of digits. Full-width digits count as digits.
pub fn contains(text: &str, today: Date) -> bool {
    let chars: Vec<char> = text.chars().map(narrow).collect();
    chars.windows(LENGTH).enumerate().any(|(at, window)| {
        let digit_at = |index: Option<usize>| {
            index
                .and_then(|index| chars.get(index))
                .is_some_and(char::is_ascii_digit)
        };
        !digit_at(at.checked_sub(1)) && !digit_at(at.checked_add(LENGTH)) && is_citizen_id(window, today)
    })
}

fn narrow(c: char) -> char {
    match c {
        '\u{FF10}'..='\u{FF19}' | 'Ｘ' | 'ｘ' => char::from_u32(c as u32 - 0xFEE0)
            .unwrap_or(c)
            .to_ascii_uppercase(),
        _ => c.to_ascii_uppercase(),
    }
}

fn is_citizen_id(window: &[char], today: Date) -> bool {
    let digits: Option<Vec<u32>> = window[..17].iter().map(|c| c.to_digit(10)).collect();
    let Some(digits) = digits else { return false };
    let number = |range: std::ops::Range<usize>| digits[range].iter().fold(0, |sum, digit| sum * 10 + digit);
    let born = Date::new(number(6..10) as i16, number(10..12) as i8, number(12..14) as i8);
    let remainder: u32 = digits
        .iter()
        .zip(WEIGHTS)
        .map(|(digit, weight)| digit * weight)
        .sum::<u32>()
        % 11;
    digits[0] != 0
        && born.is_ok_and(|born| born.year() >= 1900 && born <= today)
        && CHECKS.get(remainder as usize) == Some(&window[17])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two examples printed in GB 11643-1999 itself: public, nobody's.
    const EXAMPLES: [&str; 2] = ["11010519491231002X", "440524188001010014"];

    fn today() -> Date {
        Date::constant(2026, 7, 28)
    }

    #[test]
    fn the_standards_example_is_found_wherever_it_stands() {
        let id = EXAMPLES[0];
        for text in [
            id.to_owned(),
            id.to_lowercase(),
            format!("张三_{id}.jpg"),
            format!("IDF{id}a"),
            "１１０１０５１９４９１２３１００２Ｘ.pdf".to_owned(),
            format!("{id}{id}"),
        ] {
            assert!(contains(&text, today()), "{text}");
            let reason = refuse(&text, today()).unwrap_err();
            assert!(reason.code == "citizen_id" && !reason.to_string().contains("194912"));
        }
    }

    #[test]
    fn what_is_no_id_passes() {
        for text in [
            EXAMPLES[1],           // born 1880: before any living customer
            "110105194912310021",  // wrong check character
            "11010519490231002X",  // no 31 February
            "111010519491231002X", // inside a longer run
            "11010519491231002X1", // followed by a digit
            "11010520991231002X",  // not born yet
            "000100012345_20260728_A0098877_WVID_01.mp4",
            "",
            "短",
        ] {
            assert!(!contains(text, today()), "{text}");
        }
    }

    #[test]
    fn no_region_starts_with_zero() {
        assert!(
            "0123456789X"
                .chars()
                .all(|check| !contains(&format!("01010519491231002{check}"), today()))
        );
    }

    #[test]
    fn every_check_character_is_computed() {
        for serial in 0..1000 {
            let stem = format!("11010519491231{serial:03}");
            let found: Vec<char> = "0123456789X"
                .chars()
                .filter(|check| contains(&format!("{stem}{check}"), today()))
                .collect();
            assert_eq!(found.len(), 1, "{stem}");
        }
    }
}
