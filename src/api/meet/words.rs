//! An invitation in words, in the six languages of the prompts.

use serde::Serialize;

use crate::gateway::web::protocol::DialIn;

/// An invitation as it is sent to people, by language.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Text {
    /// English.
    pub en: String,
    /// German.
    pub de: String,
    /// Spanish.
    pub es: String,
    /// French.
    pub fr: String,
    /// Portuguese.
    pub pt: String,
    /// Chinese.
    pub zh: String,
}

/// The words of one language: before the room's name, after it, by browser, by telephone, PIN, in one tap.
struct Words {
    invites: (&'static str, &'static str),
    browser: &'static str,
    telephone: &'static str,
    pin: &'static str,
    one_tap: &'static str,
}

const EN: Words = Words {
    invites: ("You are invited to the meeting “", "”."),
    browser: "Join by browser:",
    telephone: "Or by telephone:",
    pin: "PIN:",
    one_tap: "In one tap:",
};
const DE: Words = Words {
    invites: ("Sie sind zum Treffen „", "“ eingeladen."),
    browser: "Im Browser teilnehmen:",
    telephone: "Oder per Telefon:",
    pin: "PIN:",
    one_tap: "Mit einem Tippen:",
};
const ES: Words = Words {
    invites: ("Le invitamos a la reunión «", "»."),
    browser: "Entrar con el navegador:",
    telephone: "O por teléfono:",
    pin: "PIN:",
    one_tap: "Con un toque:",
};
const FR: Words = Words {
    invites: ("Vous êtes invité à la réunion « ", " »."),
    browser: "Rejoindre par le navigateur :",
    telephone: "Ou par téléphone :",
    pin: "Code :",
    one_tap: "D’un seul geste :",
};
const PT: Words = Words {
    invites: ("Está convidado para a reunião “", "”."),
    browser: "Entrar pelo navegador:",
    telephone: "Ou por telefone:",
    pin: "PIN:",
    one_tap: "Com um toque:",
};
const ZH: Words = Words {
    invites: ("您受邀参加会议“", "”。"),
    browser: "用浏览器加入:",
    telephone: "或拨打电话:",
    pin: "PIN:",
    one_tap: "一键拨号:",
};

/// The invitation in every language.
pub fn invitation(room: &str, link: &str, dial_in: &DialIn) -> Text {
    let write = |words: &Words| {
        let (before, after) = words.invites;
        let mut text = format!("{before}{room}{after}\n\n{}\n{link}\n", words.browser);
        if !dial_in.numbers.is_empty() {
            text.push_str(&format!("\n{}\n{}\n", words.telephone, dial_in.numbers.join("\n")));
        }
        if let Some(pin) = &dial_in.pin {
            text.push_str(&format!("{} {}#\n", words.pin, pin.expose()));
        }
        if let (Some(one_tap), Some(_)) = (&dial_in.one_tap, &dial_in.pin) {
            text.push_str(&format!("{} {}\n", words.one_tap, one_tap.expose()));
        }
        text
    };
    Text { en: write(&EN), de: write(&DE), es: write(&ES), fr: write(&FR), pt: write(&PT), zh: write(&ZH) }
}
