//! The E-model (ITU-T G.107): what people would say of a connection, computed from what is measured of it.
//!
//! The rating `R` goes from 0 to about 93 (a perfect G.711 call); [`mos`] turns it into the mean opinion score, 1 to 4.4.
//! What we cannot measure (loudness of handsets, room noise) has the Recommendation's default values.

use crate::wire::codec::Codec;

/// What is known of one way of a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Connection {
    /// Mouth to ear, one way, in milliseconds (`Ta`; `T` and half of `Tr` are taken to be the same).
    pub delay_ms: f64,
    /// Share of packets lost or too late, 0 to 1 (`Ppl`).
    pub loss: f64,
    /// How much longer runs of loss are than those of random loss; at least 1 (`BurstR`).
    pub burst: f64,
    /// The codec's own impairment (`Ie`).
    pub impairment: f64,
    /// How well the codec bears loss (`Bpl`).
    pub robustness: f64,
    /// How much quieter one's own voice comes back, in dB (`TELR`).
    pub echo_db: f64,
}

impl Default for Connection {
    /// The Recommendation's default values (G.107 table 2), G.711 with packet loss concealment.
    fn default() -> Self {
        let (impairment, robustness) = impairment(Codec::Pcmu);
        Self { delay_ms: 0.0, loss: 0.0, burst: 1.0, impairment, robustness, echo_db: TALKER_ECHO }
    }
}

/// Talker echo loudness rating where nobody has measured it (`TELR`, table 2).
pub const TALKER_ECHO: f64 = 65.0;

/// Of a codec, its impairment and how well it bears loss (`Ie`, `Bpl`): G.113 Appendix I for G.711 with concealment.
/// It has no values for G.722 and Opus on the scale of narrowband telephony. Both are no worse than G.711 there, and are
/// concealed as well, so that they have its values: their wider band is a merit that this scale does not count.
pub const fn impairment(codec: Codec) -> (f64, f64) {
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::Opus => (0.0, 25.1),
    }
}

/// How well G.711 bears loss that nobody conceals (G.113 Appendix I).
pub const UNCONCEALED: f64 = 4.3;

// Table 2: send and receive loudness, sidetone, how sensitive the handsets are to room noise, and noise.
const SLR: f64 = 8.0;
const RLR: f64 = 2.0;
const STMR: f64 = 15.0;
const D_SEND: f64 = 3.0;
const D_RECEIVE: f64 = 3.0;
const WEPL: f64 = 110.0;
const QDU: f64 = 1.0;
const NC: f64 = -70.0;
const N_FOR: f64 = -64.0;
const P_SEND: f64 = 35.0;
const P_RECEIVE: f64 = 35.0;

/// The rating factor (G.107 equation 7-1), without advantage factor.
pub fn rating(connection: &Connection) -> f64 {
    let noise = noise();
    let basic = 15.0 - 1.5 * (SLR + noise);
    basic - simultaneous(basic, noise, connection) - delay(basic, noise, connection) - equipment(connection)
}

/// The mean opinion score of a rating (G.107 annex B).
pub fn mos(rating: f64) -> f64 {
    match rating {
        r if r <= 0.0 => 1.0,
        r if r >= 100.0 => 4.5,
        // The polynomial dips below 1 for the worst of ratings.
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0),
    }
}

/// `Ie,eff` (equation 7-29).
pub fn equipment(connection: &Connection) -> f64 {
    let Connection { loss, burst, impairment, robustness, .. } = *connection;
    let percent = (loss * 100.0).clamp(0.0, 100.0);
    impairment + (95.0 - impairment) * percent / (percent / burst.max(1.0) + robustness)
}

/// `No`: the sum of all noise at the 0 dBr point, in dBm0p.
fn noise() -> f64 {
    let olr = SLR + RLR;
    let room_send = P_SEND - SLR - D_SEND - 100.0 + 0.004 * (P_SEND - olr - D_SEND - 14.0).powi(2);
    let listener = STMR + D_RECEIVE;
    let effective = P_RECEIVE + 10.0 * (1.0 + 10f64.powf((10.0 - listener) / 10.0)).log10();
    let room_receive = RLR - 121.0 + effective + 0.008 * (effective - 35.0).powi(2);
    let floor = N_FOR + RLR;
    10.0 * [NC, room_send, room_receive, floor].iter().map(|part| 10f64.powf(part / 10.0)).sum::<f64>().log10()
}

/// `Is`: what comes with the voice: too loud, sidetone, quantising.
fn simultaneous(basic: f64, noise: f64, connection: &Connection) -> f64 {
    let x = (SLR + RLR + 0.2 * (64.0 + noise - RLR)) / 8.0;
    let loud = 20.0 * ((1.0 + x.powi(8)).powf(1.0 / 8.0) - x);
    let side = -10.0
        * (10f64.powf(-STMR / 10.0) + (-connection.delay_ms / 4.0).exp() * 10f64.powf(-connection.echo_db / 10.0))
            .log10();
    let sidetone = 12.0 * (1.0 + ((side - 13.0) / 6.0).powi(8)).powf(1.0 / 8.0)
        - 28.0 * (1.0 + ((side + 1.0) / 19.4).powi(35)).powf(1.0 / 35.0)
        - 13.0 * (1.0 + ((side - 3.0) / 33.0).powi(13)).powf(1.0 / 13.0)
        + 29.0;
    let q = 37.0 - 15.0 * QDU.log10();
    let g = 1.07 + 0.258 * q + 0.0602 * q * q;
    let y = (basic - 100.0) / 15.0 + 46.0 / 8.4 - g / 9.0;
    let z = 46.0 / 30.0 - g / 40.0;
    let quantising = 15.0 * (1.0 + 10f64.powf(y) + 10f64.powf(z)).log10();
    loud + sidetone + quantising
}

/// `Id`: what comes with delay: talker echo, listener echo, and waiting for an answer.
fn delay(basic: f64, noise: f64, connection: &Connection) -> f64 {
    let Connection { delay_ms: ta, echo_db, .. } = *connection;
    let echo = if ta < 1.0 {
        0.0
    } else {
        let rating = echo_db - 40.0 * ((1.0 + ta / 10.0) / (1.0 + ta / 150.0)).log10() + 6.0 * (-0.3 * ta * ta).exp();
        let half = (-1.5 * (noise - RLR) - (80.0 + 2.5 * (rating - 14.0))) / 2.0;
        (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-ta).exp())
    };
    let half = (basic - 10.5 * (WEPL + 7.0) * (2.0 * ta + 1.0).powf(-0.25)) / 2.0;
    let listener = half + (half * half + 169.0).sqrt();
    let wait = if ta <= 100.0 {
        0.0
    } else {
        let x = (ta / 100.0).log2();
        let root = |x: f64| (1.0 + x.powi(6)).powf(1.0 / 6.0);
        25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
    };
    echo + listener + wait
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, margin: f64) {
        assert!((found - expected).abs() <= margin, "{found} is not {expected}");
    }

    #[test]
    fn default_values_give_the_rating_and_score_that_the_recommendation_prints() {
        let r = rating(&Connection::default());
        near(r, 93.2, 0.05);
        near(mos(r), 4.41, 0.005);
    }

    #[test]
    fn scores_are_those_of_the_recommendations_table_of_ratings() {
        // G.107 table B.1.
        for (r, expected) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            near(mos(r), expected, 0.011);
        }
        assert_eq!((mos(-5.0), mos(0.0), mos(120.0)), (1.0, 1.0, 4.5));
        assert!((0..1000).all(|r| mos(f64::from(r + 1) / 10.0) >= mos(f64::from(r) / 10.0)), "better is never worse");
    }

    #[test]
    fn loss_impairs_as_the_tables_of_g113_say() {
        let of = |impairment: f64, robustness: f64, loss: f64| {
            equipment(&Connection { impairment, robustness, loss, ..Connection::default() })
        };
        // G.729A with VAD: Ie 11, Bpl 19.
        for (percent, expected) in [(0.0, 11.0), (1.0, 15.0), (2.0, 19.0), (4.0, 26.0), (8.0, 36.0), (16.0, 49.0)] {
            near(of(11.0, 19.0, percent / 100.0), expected, 0.7);
        }
        // G.711 with concealment.
        for (percent, expected) in [(0.0, 0.0), (2.0, 7.0), (3.0, 10.0), (5.0, 15.0)] {
            near(of(0.0, 25.1, percent / 100.0), expected, 0.9);
        }
    }

    #[test]
    fn bursts_are_worse_than_single_packets_and_a_slow_line_worse_than_a_quick_one() {
        let with = |loss: f64, burst: f64, delay_ms: f64| {
            rating(&Connection { loss, burst, delay_ms, ..Connection::default() })
        };
        assert!(with(0.03, 2.0, 0.0) < with(0.03, 1.0, 0.0));
        // G.114: most are content up to 150 ms; 400 ms is the limit of planning.
        let (quick, slow) = (with(0.0, 1.0, 150.0), with(0.0, 1.0, 400.0));
        assert!(quick > 85.0, "{quick}");
        assert!(slow < 70.0 && slow > 50.0, "{slow}");
    }
}
