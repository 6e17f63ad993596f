//! What a browser says it is, in the few words that people know it by. It is a hint: anybody can send anything.

/// Longest description of a device.
const LONGEST: usize = 40;

/// Browsers by what their User-Agent has in it, the more particular first: nearly all of them say `Chrome` or `Safari`, too.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// Systems likewise: Android says `Linux`, too, and an iPhone `Mac OS X`.
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
];

/// A User-Agent in a few words, such as `Chrome, Android`; none where nothing is known about it.
pub fn of(agent: &str) -> Option<String> {
    let find =
        |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let found: Vec<&str> = [find(&BROWSERS), find(&SYSTEMS)].into_iter().flatten().collect();
    (!found.is_empty()).then(|| found.join(", "))
}

/// A text of an app's own, cut to what fits a question.
pub fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_the_name_they_know_their_browser_by() {
        let android = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36";
        assert_eq!(of(android).as_deref(), Some("Chrome, Android"));
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1";
        assert_eq!(of(iphone).as_deref(), Some("Safari, iPhone"));
        assert_eq!(of("curl/8.5.0"), None);
        assert_eq!(shortened("  Tablet\u{7} of the ward "), "Tablet of the ward");
    }
}
