//! What people write, made fit to be shown to others: names, and lines of chat. One name or line must not rewrite the page,
//! cover its neighbours, be invisible, or pass for somebody else's.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::room::Refusal;

/// Longest name, in characters: what a roster line shows.
const LONGEST_NAME: usize = 64;

/// Longest line, in characters. Longer: a page that scrolls for one person. Shorter: a paragraph does not fit.
pub const LONGEST_LINE: usize = 2000;

/// Marks on one letter. More: they cover the lines above and below. Fewer: Vietnamese, Hebrew with points and Thai lose some.
const MOST_MARKS: usize = 4;

/// A name as the roster shows it; none where it is empty.
pub fn read_name(name: &str) -> Result<Option<String>, Refusal> {
    if name.is_empty() {
        return Ok(None);
    }
    let name = clean(name, false);
    match is_seen(&name) && name.chars().count() <= LONGEST_NAME {
        true => Ok(Some(name)),
        false => Err(Refusal::BadName),
    }
}

/// A line of chat as it is shown.
pub(super) fn read_line(line: &str) -> Result<String, Refusal> {
    let line = clean(line, true);
    match is_seen(&line) && line.chars().count() <= LONGEST_LINE {
        true => Ok(line),
        false => Err(Refusal::BadText),
    }
}

/// What two names have in common that people take for the same: they differ in case, width, invisible characters, or in
/// letters that look alike.
pub(super) fn likeness(name: &str) -> String {
    let plain = name.nfkc().filter(|c| !is_ignorable(*c) && !matches!(c, '\u{200c}' | '\u{200d}'));
    plain.flat_map(|c| alike(c).to_lowercase()).map(alike).collect()
}

/// A name with a number behind it, within the length of a name.
pub(super) fn numbered(name: &str, number: usize) -> String {
    let suffix = format!(" ({number})");
    let room = LONGEST_NAME.saturating_sub(suffix.chars().count());
    let mut name: String = name.chars().take(room).collect();
    name.truncate(name.trim_end().len());
    name + &suffix
}

/// Without what cannot be seen, with few marks on each letter, blanks as one space each; in a line of chat, line breaks and
/// tabs stay.
fn clean(text: &str, lines: bool) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut marks = 0;
    let mut blank = false;
    let mut composed = text.nfc().peekable();
    while let Some(c) = composed.next() {
        let break_or_tab = lines && matches!(c, '\n' | '\t');
        if !break_or_tab && is_blank(c) {
            blank = true;
            continue;
        }
        let before = clean.chars().next_back().filter(|_| !blank);
        let stays = match c.general_category() {
            _ if break_or_tab => true,
            // Joiners make one picture of several, and words of some scripts.
            _ if matches!(c, '\u{200c}' | '\u{200d}') => {
                before.is_some_and(joins) && composed.peek().is_some_and(|next| joins(*next))
            }
            GeneralCategory::Control | GeneralCategory::Format | GeneralCategory::PrivateUse => false,
            GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark => {
                marks += 1;
                let picture = !is_ignorable(c) || matches!(c, '\u{fe0e}' | '\u{fe0f}');
                marks <= MOST_MARKS && picture && before.is_some_and(|before| !before.is_whitespace())
            }
            _ => {
                marks = 0;
                true
            }
        };
        if !stays {
            continue;
        }
        if std::mem::take(&mut blank) && !clean.is_empty() {
            clean.push(' ');
        }
        clean.push(c);
    }
    clean.trim().to_owned()
}

/// Whether anything of it can be seen.
fn is_seen(text: &str) -> bool {
    text.chars().any(|c| !is_blank(c) && !is_ignorable(c) && !matches!(c, '\u{200c}' | '\u{200d}'))
}

/// Blank, though not all of them call themselves so: Hangul fillers, the empty Braille pattern, the empty note.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}' | '\u{1d159}')
}

/// Marks that are not seen by themselves (Default_Ignorable_Code_Point of Unicode): they choose the form of what is before them.
fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{34f}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a joiner beside it means something: in Arabic and Indic scripts, and between pictures.
fn joins(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{dff}' | '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

/// The Latin letter that a letter looks like.
fn alike(c: char) -> char {
    match c {
        'I' | 'i' | '1' | '|' | '\u{131}' | '\u{399}' | '\u{3b9}' | '\u{406}' | '\u{456}' | '\u{4c0}' | '\u{4cf}' => {
            'l'
        }
        '0' | '\u{39f}' | '\u{3bf}' | '\u{41e}' | '\u{43e}' => 'o',
        '\u{391}' | '\u{3b1}' | '\u{410}' | '\u{430}' => 'a',
        '\u{392}' | '\u{412}' => 'b',
        '\u{421}' | '\u{441}' | '\u{3f2}' | '\u{3f9}' => 'c',
        '\u{395}' | '\u{415}' | '\u{435}' => 'e',
        '\u{397}' | '\u{41d}' => 'h',
        '\u{408}' | '\u{458}' => 'j',
        '\u{39a}' | '\u{3ba}' | '\u{41a}' | '\u{43a}' => 'k',
        '\u{39c}' | '\u{41c}' | '\u{43c}' => 'm',
        '\u{39d}' => 'n',
        '\u{3a1}' | '\u{3c1}' | '\u{420}' | '\u{440}' => 'p',
        '\u{405}' | '\u{455}' => 's',
        '\u{3a4}' | '\u{3c4}' | '\u{422}' | '\u{442}' => 't',
        '\u{3bd}' => 'v',
        '\u{3a7}' | '\u{3c7}' | '\u{425}' | '\u{445}' => 'x',
        '\u{3a5}' | '\u{3c5}' | '\u{423}' | '\u{443}' => 'y',
        '\u{396}' => 'z',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_no_name() {
        assert_eq!(read_name(""), Ok(None), "no name was given");
        for blank in [
            "   ",
            "\u{200b}",
            "\u{200d}\u{200d}",
            "\u{202e}\u{2066}",
            "\u{301}\u{302}",
            "\u{3164}",
            "\u{2800}\u{a0}",
            "\u{fe0f}",
            "\u{0}\t\n",
            "\u{e0041}",
        ] {
            assert_eq!(read_name(blank), Err(Refusal::BadName), "{blank:?}");
        }
        assert_eq!(read_line(" \u{200b}\n\u{3164} "), Err(Refusal::BadText));
    }

    #[test]
    fn names_are_trimmed_and_lose_what_turns_or_hides_text() {
        for (sent, shown) in [
            ("  Anna \u{3000} Berg ", "Anna Berg"),
            ("a\u{202e}b\u{7}\u{ad}\u{feff}c", "abc"),
            ("An\u{200d}na", "Anna"),
            ("A\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}bc", "\u{c1}\u{302}\u{303}\u{304}\u{305}bc"),
            ("José", "José"),
            ("Jose\u{301}", "José"),
            ("שָׁלוֹם", "שָׁלוֹם"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("Nguyễn", "Nguyễn"),
            ("ปิ่น", "ปิ่น"),
            ("👩\u{200d}💻 ❤\u{fe0f}", "👩\u{200d}💻 ❤\u{fe0f}"),
            ("<b>王</b>", "<b>王</b>"),
        ] {
            let expected: String = shown.nfc().collect();
            assert_eq!(read_name(sent), Ok(Some(expected)), "{sent:?}");
        }
        assert!(read_name(&"x".repeat(64)).is_ok() && read_name(&"x".repeat(65)).is_err());
        let zalgo = format!("Z{}", "\u{301}\u{33f}".repeat(5000));
        assert_eq!(read_name(&zalgo).unwrap().unwrap().chars().count(), 5, "Ź and four marks");
    }

    #[test]
    fn a_line_keeps_its_breaks_and_loses_its_towers() {
        assert_eq!(read_line(" one\n\ttwo  three\u{202e} "), Ok("one\n\ttwo three".into()));
        let tower = format!("o{}k", "\u{301}".repeat(500));
        assert!(read_line(&tower).unwrap().chars().count() <= 6);
    }

    #[test]
    fn what_people_take_for_the_same_name_is_alike() {
        for (one, other) in [
            ("Ann", "ANN"),
            ("Ann", "Ａｎｎ"),
            ("Anna", "\u{410}nn\u{430}"),
            ("Alice", "AIice"),
            ("Bob", "B0b"),
            ("Ann", "An\u{fe0f}n"),
        ] {
            assert_eq!(likeness(one), likeness(other), "{one} {other}");
        }
        assert_ne!(likeness("Ann"), likeness("Anna"));
        assert_ne!(likeness("Jörg"), likeness("Jorg"));
        assert_eq!(numbered(&"x".repeat(64), 12).chars().count(), 64);
    }
}
