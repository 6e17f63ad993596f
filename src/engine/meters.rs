//! The engine's own figures, for `/metrics`.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::gateway::event::Happening;
use crate::media::command::Figures;

/// What one step of the loop takes, in seconds. The last bound is where phones begin to repeat themselves.
const STEPS: [f64; 8] = [0.000_02, 0.000_05, 0.000_1, 0.000_5, 0.002, 0.01, 0.1, 0.5];

/// Where people begin to mind, in mean opinion scores: those of the ratings 50, 60, 70, 80 and 90 (G.107 annex B).
const SCORES: [f64; 6] = [2.0, 2.58, 3.1, 3.6, 4.03, 4.34];

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Takes figures from now on; before it they are lost. Once is enough.
pub fn install() {
    let steps = Matcher::Full("ringlift_loop_seconds".into());
    let Ok(builder) = PrometheusBuilder::new().set_buckets_for_metric(steps, &STEPS) else { return };
    let scores = Matcher::Full("ringlift_call_mos".into());
    let Ok(builder) = builder.set_buckets_for_metric(scores, &SCORES) else { return };
    if let Ok(handle) = builder.install_recorder() {
        let _ = HANDLE.set(handle);
        describe();
    }
}

/// What people who look at the figures are told of each.
fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_histogram!("ringlift_loop_seconds", "Time that one step of the signalling loop took, in seconds.");
    describe_histogram!("ringlift_call_mos", "Mean opinion scores (G.107) of calls that ended, by way.");
    describe_counter!("ringlift_call_blame_total", "Calls that ended, by whose fault it was that they sounded badly.");
    describe_counter!("ringlift_call_echo_total", "Times that line echo was found on a call.");
    describe_counter!("ringlift_call_music_total", "Times that music on hold was found on a call in a room.");
    describe_gauge!("ringlift_messages_waiting", "SIP messages that were read and wait for the signalling loop.");
    describe_gauge!("ringlift_sip_connections", "Open TCP and TLS connections that carry SIP.");
    describe_counter!("ringlift_messages_unsent_total", "SIP messages that could not be sent.");
    describe_counter!("ringlift_transport_total", "What the SIP transports did or dropped, by kind.");
    describe_counter!(
        "ringlift_certificates_refused_total",
        "Certificates that were over, or unusable, when they were read."
    );
    describe_counter!("ringlift_webhooks_total", "Attempts to tell programs of events, by outcome.");
    describe_gauge!("ringlift_ports_in_use", "RTP port pairs in use.");
    describe_gauge!("ringlift_media_legs", "Legs that a media thread carries.");
    describe_gauge!(
        "ringlift_media_longest_seconds",
        "The longest time of the last minute in which a media thread read, mixed and sent without a pause, in seconds."
    );
    describe_counter!("ringlift_media_total", "What a media thread did or dropped, by kind.");
}

/// A certificate was over, or of no use, when it was read at the start or after SIGHUP.
pub fn certificate_refused() {
    metrics::counter!("ringlift_certificates_refused_total").increment(1);
}

/// A call ended that sounded so.
pub fn call_ended(figures: &Figures) {
    let call = &figures.quality.call;
    for (way, score) in [("ingress", call.ingress), ("egress", call.egress)] {
        if let Some(score) = score {
            metrics::histogram!("ringlift_call_mos", "way" => way).record(f64::from(score.mos));
        }
    }
    metrics::counter!("ringlift_call_blame_total", "blame" => call.blame.name()).increment(1);
}

/// Line echo or music on hold was found on a call.
pub fn found(what: &Happening) {
    match what {
        Happening::CallEcho { heard: true, .. } => metrics::counter!("ringlift_call_echo_total").increment(1),
        Happening::CallMusic { heard: true, .. } => metrics::counter!("ringlift_call_music_total").increment(1),
        _ => {}
    }
}

/// All figures in Prometheus' text format; empty before [`install`].
pub fn render() -> String {
    HANDLE.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Folds what was recorded since the last time; without it histograms grow.
pub fn upkeep() {
    if let Some(handle) = HANDLE.get() {
        handle.run_upkeep();
    }
}
