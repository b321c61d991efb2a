//! Where a list goes on: the names of its last row, as a text that needs no escaping anywhere.

use std::fmt::Write as _;

use soorma_core::{Name, Timestamp};
use soorma_ports::After;

/// No name has this byte.
const BETWEEN: u8 = 0;

pub(crate) fn write(names: &[&str]) -> String {
    let mut text = String::new();
    for (nth, name) in names.iter().enumerate() {
        let between = (nth > 0).then_some(BETWEEN);
        for byte in between.into_iter().chain(name.bytes()) {
            // Writing to a String cannot fail.
            let _ok = write!(text, "{byte:02x}");
        }
    }
    text
}

/// `None`: it is none of ours.
pub(crate) fn read<const N: usize>(text: &str) -> Option<[Name; N]> {
    let names: Option<Vec<Name>> = texts::<N>(text)?.into_iter().map(|name| Name::new(name).ok()).collect();
    names?.try_into().ok()
}

/// The same, of texts that need not be names.
pub(crate) fn texts<const N: usize>(text: &str) -> Option<[String; N]> {
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digits =
        text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok().filter(|two| two.len() == 2));
    let bytes: Option<Vec<u8>> = digits.map(|two| u8::from_str_radix(two?, 16).ok()).collect();
    let bytes = bytes?;
    let texts = bytes.split(|byte| *byte == BETWEEN).map(|text| std::str::from_utf8(text).ok());
    let texts: Option<Vec<String>> = texts.map(|text| text.map(str::to_owned)).collect();
    texts?.try_into().ok()
}

/// Writes the place of an entry in a list in the order of time.
pub(crate) fn write_after(after: &After) -> String {
    write(&[&after.at.micros().to_string(), &after.id.to_string()])
}

/// `None`: it is none of ours.
pub(crate) fn after(text: &str) -> Option<After> {
    let [at, id] = texts(text)?;
    let micros: i64 = at.parse().ok()?;
    let at = Timestamp::from_micros(micros);
    Some(After { at, id: id.parse().ok()? }).filter(|after| after.at.micros() == micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_what_was_written() {
        for names in [["researcher:1.0.0", "r-1"], ["a b/%,", "Gr\u{fc}\u{df}e \u{1F600}"], ["\"", "'"]] {
            let text = write(&names);
            assert!(text.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");
            let read = read::<2>(&text).expect("ours");
            assert_eq!(read.each_ref().map(Name::as_str), names);
        }
    }

    #[test]
    fn the_place_of_an_entry_reads_back_as_it_was_written() {
        let id = "0192d3a4-5b6c-7d8e-9f00-112233445566".parse().expect("an id");
        for at in [Timestamp::MIN, Timestamp::default(), Timestamp::from_micros(1_795_413_465_067_403)] {
            let place = After { at, id };
            assert_eq!(after(&write_after(&place)), Some(place));
        }
        let beyond = i64::MAX.to_string();
        for wrong in [["1", "2"], ["now", "0192d3a4-5b6c-7d8e-9f00-112233445566"], [&beyond, &id.to_string()]]
        {
            assert_eq!(after(&write(&wrong)), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_is_none_of_ours_is_refused() {
        let two = write(&["a", "b"]);
        for wrong in [
            "",
            "6",
            "6z",
            "zz",
            "+1",
            "00",
            "61006200",
            "ff0061",
            "6100",
            two.trim_start_matches('6'),
            "\u{fc}1",
        ] {
            assert!(read::<2>(wrong).is_none(), "{wrong:?}");
        }
        assert!(read::<1>(&two).is_none() && read::<2>(&write(&["a"])).is_none());
        assert!(read::<1>(&write(&[&"x".repeat(256)])).is_none());
    }
}
