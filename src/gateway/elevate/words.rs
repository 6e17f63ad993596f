//! What is written in the text: one message of the seven-bit alphabet, in the caller's language where that has one.

use crate::base::Secret;
use crate::call::speech::Language;
use crate::wire::gsm7;

/// What stands for the link.
const LINK: &str = "{link}";

/// The text of a language. What cannot be written in seven bits is written in English: a second message costs as much as
/// the first, and filters take it for something else.
fn template(language: &Language) -> &'static str {
    match language.tag().split('-').next().unwrap_or_default() {
        "de" => "Ihr Anruf läuft weiter. Video, Bildschirm und Chat dazu: {link} STOP = keine SMS mehr",
        "es" => "Su llamada continúa. Añada vídeo, pantalla y chat: {link} STOP = no más SMS",
        "fr" => "Votre appel continue. Ajoutez vidéo, écran et chat : {link} STOP = plus de SMS",
        "pt" => "A sua chamada continua. Junte video, ecra e chat: {link} STOP = sem mais SMS",
        _ => "Your call goes on. Tap to add video, screen and chat: {link} Reply STOP for no more texts",
    }
}

/// What is written; none where a template of somebody's own has no place for the link or is too long.
pub(super) fn body(own: Option<&str>, language: &Language, link: &Secret) -> Option<Secret> {
    let fits = |text: &str| {
        let length = gsm7::length(text);
        length.segments == 1 && length.alphabet == gsm7::Alphabet::Gsm7
    };
    if let Some(own) = own {
        let text = own.replace(LINK, link.expose());
        return (own.matches(LINK).count() == 1 && fits(&text)).then(|| Secret::new(text));
    }
    let words = [template(language), template(&Language::english())];
    let text = words.iter().map(|words| words.replace(LINK, link.expose())).find(|text| fits(text));
    // A long domain leaves room for nothing else.
    Some(text.map_or_else(|| link.clone(), Secret::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_fits_into_one_message_with_room_for_a_long_domain() {
        let link = Secret::new(format!("https://{}/e/{}", "v".repeat(36), "0".repeat(22)));
        for tag in ["en", "de", "es", "fr", "pt", "zh", "ja"] {
            let text = body(None, &Language::parse(tag).unwrap(), &link).unwrap();
            let length = gsm7::length(text.expose());
            assert_eq!((length.segments, length.alphabet), (1, gsm7::Alphabet::Gsm7), "{tag}");
            assert!(text.expose().contains(link.expose()) && text.expose().contains("STOP"), "{tag}");
        }
    }

    #[test]
    fn a_template_of_ones_own_has_one_link_and_fits() {
        let (en, link) = (Language::english(), Secret::new("https://v.example/e/0123456789abcdefghjkmn"));
        let own = |text: &str| body(Some(text), &en, &link).map(|text| text.expose().to_owned());
        assert_eq!(own("Hi {link}").as_deref(), Some("Hi https://v.example/e/0123456789abcdefghjkmn"));
        for bad in ["no link", "{link} {link}", "视频 {link}", &format!("{} {{link}}", "x".repeat(150))] {
            assert_eq!(own(bad), None, "{bad}");
        }
    }
}
