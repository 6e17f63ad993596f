//! A phone's one call: begun, answered, changed, ended.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::PhoneError;
use super::audio::Audio;
use super::keys::{Keys, PRESS};
use super::options::DigitsBy;
use super::register::attempt_of;
use super::run::Phone;
use super::voice::{Recorder, Voice};
use crate::base::{Cause, Instant, LegId};
use crate::call::offer_answer::{Agreed, Negotiation, Preferences};
use crate::media::command::LegSetup;
use crate::profile::HoldStyle;
use crate::sip::endpoint::{Attempt, Headers, Manner, OutboundInvite};
use crate::sip::transport::{Source, Target};
use crate::wire::sip::{Host, NameAddr, Request, Response, Status, Uri};

/// How long the far end may take to answer our BYE before we go.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long it may ring.
const RING: Duration = Duration::from_secs(180);
/// Silence of the far end after which we hang up; longer than the gateway's own limit, so that it decides.
const MEDIA_TIMEOUT: Duration = Duration::from_secs(120);

pub(super) struct Call {
    pub(super) leg: LegId,
    pub(super) negotiation: Negotiation,
    pub(super) audio: Audio,
    /// Whom we called, to call again with credentials.
    pub(super) outbound: Option<(Uri, Target)>,
    pub(super) challenged: bool,
    pub(super) open: bool,
    pub(super) until: Option<Instant>,
    pub(super) ended_by_us: bool,
}

impl Phone {
    /// A voice and a recording for the next call.
    fn start_audio(&mut self) -> Result<Audio, PhoneError> {
        let voice = match (&self.common.play, self.common.tone) {
            (Some(path), _) => Voice::file(path)?,
            (None, Some(frequency)) => Voice::Tone(frequency, 0),
            (None, None) => Voice::Silence,
        };
        self.calls_made += 1;
        let path = self.common.record.as_ref().map(|path| match self.calls_made {
            1 => path.clone(),
            n => path.with_file_name(format!("{}-{n}.wav", path.file_stem().unwrap_or_default().to_string_lossy())),
        });
        let recorder = match path {
            Some(path) => Some(Recorder::begin(path)?),
            None => None,
        };
        Audio::start(self.local, voice, recorder, self.clock, &mut self.rng)
    }

    fn negotiation(&mut self, audio: &Audio) -> Negotiation {
        let preferences = Preferences {
            codecs: self.common.codec.clone(),
            ours_first: true,
            ptime: self.common.ptime,
            ..Preferences::default()
        };
        let mut negotiation = Negotiation::new(preferences, &mut self.rng);
        negotiation.set_local(self.local, audio.port);
        negotiation
    }

    pub(super) fn call(&mut self, uri: Uri, target: Target) -> Result<(), PhoneError> {
        let audio = self.start_audio()?;
        let negotiation = self.negotiation(&audio);
        self.teller.tell("calling", &format!("calling {} by {}", target.remote, target.transport), &[]);
        let mut call = Call {
            leg: LegId::from_bits(0),
            negotiation,
            audio,
            outbound: Some((uri, target)),
            challenged: false,
            open: false,
            until: None,
            ended_by_us: false,
        };
        self.invite(&mut call, Headers::new(), None)?;
        self.call = Some(call);
        Ok(())
    }

    fn invite(&mut self, call: &mut Call, headers: Headers, again: Option<Attempt>) -> Result<(), PhoneError> {
        let Some((uri, target)) = call.outbound.clone() else { return Ok(()) };
        let from = self.own_address(None)?;
        let sdp = call.negotiation.offer();
        let to = NameAddr::new(uri.without_param("transport"));
        let invite = OutboundInvite {
            uri,
            from,
            to,
            target,
            routes: Vec::new(),
            headers,
            sdp: Some(sdp),
            contact_user: None,
            manner: Manner::default(),
            ring: RING,
            max_forwards: 70,
            again,
        };
        call.leg = self.endpoint.invite(invite, self.clock.now());
        Ok(())
    }

    /// Who we say we are.
    pub(super) fn own_address(&self, registered: Option<&Uri>) -> Result<NameAddr, PhoneError> {
        match (&self.common.from, registered) {
            (Some(from), _) => Uri::parse(from)
                .map(NameAddr::new)
                .map_err(|_| PhoneError::Usage(format!("--from {from} is no SIP URI"))),
            (None, Some(uri)) => Ok(NameAddr::new(uri.clone())),
            (None, None) => {
                let user = self.common.user.as_deref().unwrap_or("phone");
                Ok(NameAddr::new(Uri::sip(Some(user), Host::from(self.local), None)))
            }
        }
    }

    pub(super) fn mute(&self, muted: bool) {
        if let Some(call) = &self.call {
            call.audio.mute(muted);
        }
    }

    pub(super) fn press(&mut self, key: char) {
        let now = self.clock.now();
        let Some(call) = self.call.as_ref().filter(|call| call.open) else { return };
        match self.common.digits_by {
            DigitsBy::Rtp => call.audio.key(key),
            DigitsBy::Info => {
                let body = format!("Signal={key}\r\nDuration={PRESS}\r\n");
                self.endpoint.info(call.leg, "application/dtmf-relay", body.as_bytes(), now);
            }
            DigitsBy::InfoPlain => {
                self.endpoint.info(call.leg, "application/dtmf", key.to_string().as_bytes(), now);
            }
        }
        self.teller.tell("keyed", "keyed", &[]);
    }

    /// Offers a hold, or its end.
    pub(super) fn hold(&mut self, hold: bool) {
        let now = self.clock.now();
        if let Some(call) = self.call.as_mut().filter(|call| call.open) {
            let negotiation = &mut call.negotiation;
            let sdp = if hold { negotiation.hold(HoldStyle::SendOnly) } else { negotiation.resume() };
            self.endpoint.reinvite(call.leg, Some(sdp), now);
        }
    }

    pub(super) fn invited(&mut self, leg: LegId, request: &Request, source: Source) -> Result<(), PhoneError> {
        let now = self.clock.now();
        if !self.answers || self.call.is_some() {
            self.endpoint.refuse(leg, Status::BUSY_HERE, Cause::Busy, &Headers::new(), now);
            return Ok(());
        }
        self.teller.tell("called", &format!("called from {}", source.remote), &[]);
        let audio = self.start_audio()?;
        let mut negotiation = self.negotiation(&audio);
        let answer = match request.body.is_empty() {
            true => Ok((negotiation.offer(), None)),
            false => negotiation.answer(&request.body, source.remote.ip()).map(|(sdp, agreed)| (sdp, Some(agreed))),
        };
        match answer {
            Err(why) => {
                self.teller.tell("unacceptable", why.text(), &[]);
                self.endpoint.refuse(leg, Status::NOT_ACCEPTABLE_HERE, Cause::NoCommonCodec, &why.headers(""), now);
                audio.close();
            }
            Ok((sdp, agreed)) => {
                self.endpoint.answer(leg, sdp, &Headers::new(), now);
                self.call = Some(Call {
                    leg,
                    negotiation,
                    audio,
                    outbound: None,
                    challenged: false,
                    open: false,
                    until: None,
                    ended_by_us: false,
                });
                if let Some(agreed) = agreed {
                    self.agreed(agreed);
                }
            }
        }
        Ok(())
    }

    pub(super) fn answered(&mut self, leg: LegId, sdp: Option<Bytes>, source: Source) {
        let Some(call) = self.call.as_mut().filter(|call| call.leg == leg) else { return };
        match call.negotiation.take_answer(&sdp.unwrap_or_default(), source.remote.ip()) {
            Ok(agreed) => self.agreed(agreed),
            Err(why) => {
                self.teller.tell("unacceptable", why.text(), &[]);
                self.hang_up();
            }
        }
    }

    /// Media may flow, or flow otherwise.
    pub(super) fn agreed(&mut self, agreed: Agreed) {
        let now = self.clock.now();
        let Some(call) = &mut self.call else { return };
        let Agreed { format, remote, security, .. } = agreed;
        if call.open {
            return call.audio.modify(format, remote, security);
        }
        call.open = true;
        call.until = self.common.limit.map(|limit| now.mono + limit);
        let sentence = format!("connected: {}, {} ms packets", format.codec.name(), format.ptime);
        let details = [("codec", Value::from(format.codec.name())), ("ptime", Value::from(format.ptime))];
        call.audio.open(LegSetup {
            format,
            remote,
            security,
            ssrc: self.rng.next_u32(),
            sequence: self.rng.next_u32() as u16,
            timestamp: self.rng.next_u32(),
            cname: self.rng.token(12),
            media_timeout: MEDIA_TIMEOUT,
        });
        self.well = true;
        self.teller.tell("answered", &sentence, &details);
        let digits = std::mem::take(&mut self.digits);
        if let Err(wrong) = self.keys.push(&digits, now.mono) {
            self.teller.tell("misunderstood", &format!("{wrong:?} is on no key"), &[]);
        }
    }

    pub(super) fn offered(&mut self, leg: LegId, sdp: Option<Bytes>) {
        let now = self.clock.now();
        let Some(call) = self.call.as_mut().filter(|call| call.leg == leg) else { return };
        match sdp {
            None => {
                let offer = call.negotiation.offer();
                self.endpoint.accept_offer(leg, offer, now);
            }
            Some(sdp) => match call.negotiation.answer(&sdp, self.local) {
                Ok((answer, agreed)) => {
                    self.endpoint.accept_offer(leg, answer, now);
                    let flow = format!("{:?}", agreed.format.direction).to_lowercase();
                    self.teller.tell(
                        "changed",
                        &format!("media now {flow}"),
                        &[("direction", Value::from(flow.clone()))],
                    );
                    self.agreed(agreed);
                }
                Err(why) => self.endpoint.refuse_offer(leg, Status::NOT_ACCEPTABLE_HERE, &why.headers(""), now),
            },
        }
    }

    pub(super) fn modified(&mut self, leg: LegId, result: Result<Option<Bytes>, Status>) {
        let Some(call) = self.call.as_mut().filter(|call| call.leg == leg) else { return };
        let agreed = match result {
            Ok(sdp) => {
                call.negotiation.take_answer(&sdp.unwrap_or_default(), self.local).map_err(|why| why.text().to_owned())
            }
            Err(status) => Err(status.to_string()),
        };
        match agreed {
            Ok(agreed) => {
                let flow = format!("{:?}", agreed.format.direction).to_lowercase();
                self.teller.tell("changed", &format!("media now {flow}"), &[("direction", Value::from(flow.clone()))]);
                self.agreed(agreed);
            }
            Err(why) => self.teller.tell("unchanged", &format!("the far end would not change: {why}"), &[]),
        }
    }

    /// Refused for want of credentials: once more with them. For any other reason the end follows at once.
    pub(super) fn refused(&mut self, leg: LegId, status: Status, response: &Response) -> Result<(), PhoneError> {
        let details = [("status", Value::from(status.code()))];
        let Some(mut call) = self.call.take_if(|call| call.leg == leg) else { return Ok(()) };
        if !call.challenged
            && let Some((uri, _)) = call.outbound.clone()
            && let Some(headers) = self.credentials(response, "INVITE", &uri)
        {
            call.challenged = true;
            self.teller.tell("challenged", "asked for credentials", &details);
            self.invite(&mut call, headers, attempt_of(response))?;
        } else {
            self.well = false;
            self.teller.tell("refused", &format!("refused: {status}"), &details);
        }
        self.call = Some(call);
        Ok(())
    }

    pub(super) fn ended(&mut self, leg: LegId, cause: Cause) {
        let Some(call) = self.call.take_if(|call| call.leg == leg) else { return };
        let by = if call.ended_by_us { "us" } else { "them" };
        let open = call.open;
        let figures = call.audio.close();
        self.keys = Keys::default();
        self.calls_left = self.calls_left.saturating_sub(1);
        if self.calls_left == 0 {
            self.leaving = Some(self.clock.mono() + FAREWELL);
        }
        self.well &= open;
        let sentence = format!(
            "ended by {by}: {cause}; {} packets heard, {} said, {} lost, {} filled in",
            figures.received, figures.sent, figures.lost, figures.concealed
        );
        let mut details = vec![("by", Value::from(by)), ("cause", serde_json::to_value(cause).unwrap_or_default())];
        details.push(("figures", serde_json::to_value(figures).unwrap_or_default()));
        self.teller.tell("ended", &sentence, &details);
    }
}
