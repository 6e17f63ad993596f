//! What people answer to a text that means something by itself (CTIA messaging principles §5.1): they want no more, want
//! them again, or want to know who writes.

/// A word that is an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// No more texts.
    Stop,
    /// Texts again.
    Start,
    /// Who writes, and how to stop it.
    Help,
}

/// Words that stop: English as carriers require, then the languages that are spoken.
const STOP: &[&str] = &[
    "STOP",
    "STOPALL",
    "STOP ALL",
    "UNSUBSCRIBE",
    "CANCEL",
    "END",
    "QUIT",
    "REVOKE",
    "OPTOUT",
    "OPT OUT",
    "OPT-OUT",
    "STOPP",
    "STOPPEN",
    "ABMELDEN",
    "ENDE",
    "BEENDEN",
    "PARAR",
    "BAJA",
    "ALTO",
    "CANCELAR",
    "DETENER",
    "ARRET",
    "ARRÊT",
    "ARRETER",
    "ARRÊTER",
    "DESABONNER",
    "DÉSABONNER",
    "SAIR",
    "PARE",
    "REMOVER",
    "停止",
    "退订",
    "退訂",
    "取消",
    "TD",
    "T",
];

/// Words that start again.
const START: &[&str] = &[
    "START",
    "UNSTOP",
    "YES",
    "SUBSCRIBE",
    "OPTIN",
    "OPT IN",
    "OPT-IN",
    "STARTEN",
    "ANMELDEN",
    "JA",
    "ALTA",
    "INICIAR",
    "INICIO",
    "SÍ",
    "SI",
    "DEBUT",
    "DÉBUT",
    "REPRENDRE",
    "OUI",
    "COMECAR",
    "COMEÇAR",
    "VOLTAR",
    "SIM",
    "开始",
    "開始",
    "恢复",
    "恢復",
];

/// Words that ask.
const HELP: &[&str] =
    &["HELP", "INFO", "HILFE", "AYUDA", "INFORMACION", "INFORMACIÓN", "AIDE", "AJUDA", "帮助", "幫助", "?"];

impl Keyword {
    /// Reads a whole text as one of these words; a sentence that has such a word in it is none.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let bare = text.trim_matches(|c: char| c.is_whitespace() || ".!,;:\"'“”„«»。！¡".contains(c));
        // The longest word has eleven characters.
        if bare.chars().count() > 16 {
            return None;
        }
        let word = bare.to_uppercase();
        let word = word.as_str();
        if STOP.contains(&word) {
            Some(Keyword::Stop)
        } else if START.contains(&word) {
            Some(Keyword::Start)
        } else if HELP.contains(&word) {
            Some(Keyword::Help)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_writes_stop_in_their_language_is_understood() {
        for text in
            ["STOP", " stop ", "Stop.", "stopp!", "Arrêt", "arret", "baja", "Sair", "退订", "Unsubscribe", "\"stop\""]
        {
            assert_eq!(Keyword::read(text), Some(Keyword::Stop), "{text}");
        }
        for text in ["start", "Unstop", "iniciar", "début", "开始"] {
            assert_eq!(Keyword::read(text), Some(Keyword::Start), "{text}");
        }
        for text in ["help", "Hilfe", "ayuda", "aide", "?", "帮助"] {
            assert_eq!(Keyword::read(text), Some(Keyword::Help), "{text}");
        }
    }

    #[test]
    fn a_sentence_is_no_order() {
        for text in
            ["please stop calling me at night", "", "I will start tomorrow", "stopwatch", "....", "can you help"]
        {
            assert_eq!(Keyword::read(text), None, "{text}");
        }
    }
}
