//! A browser without a browser: a connection, a microphone that sounds, a camera whose pictures are of one packet.

#![allow(dead_code, reason = "each bench uses its own part")]

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, ExtensionValues, MediaKind, Mid};
use str0m::net::{DatagramRecv, Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Event, Input, Output, Rtc};

/// A browser with a socket of its own.
pub struct Browser {
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    /// What it says, 20 ms by 20 ms, over and over.
    words: Vec<Vec<u8>>,
    microphone: Mid,
    camera: Mid,
    /// When it made its offer.
    pub began: Instant,
    /// Its connection stands.
    pub connected: bool,
    /// From the offer to the first voice that came.
    pub voice: Option<Duration>,
    /// From the offer to the first picture that came.
    pub picture: Option<Duration>,
    keyframe: bool,
    /// Packets that it said.
    pub spoken: u64,
    filmed: u64,
}

impl Browser {
    /// One that says these packets of Opus, and its offer.
    pub fn new(words: Vec<Vec<u8>>) -> (Self, String, SdpPendingOffer) {
        let began = Instant::now();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let mut rtc = Rtc::builder().set_rtp_mode(true).build(began);
        rtc.add_local_candidate(str0m::Candidate::host(address, "udp").unwrap());
        let mut api = rtc.sdp_api();
        let microphone = api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let camera = api.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        for _ in 0..4 {
            api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        }
        for _ in 0..9 {
            api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = api.apply().unwrap();
        let browser = Self {
            rtc,
            socket,
            address,
            words,
            microphone,
            camera,
            began,
            connected: false,
            voice: None,
            picture: None,
            keyframe: true,
            spoken: 0,
            filmed: 0,
        };
        (browser, offer.to_sdp_string(), pending)
    }

    /// The node's answer.
    pub fn take(&mut self, pending: SdpPendingOffer, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
    }

    /// What has come is taken, what is due is sent.
    pub fn live(&mut self, hub: SocketAddr, speaks: bool) {
        let mut bytes = [0; 2000];
        while let Ok((length, _)) = self.socket.recv_from(&mut bytes) {
            let contents = DatagramRecv::try_from(&bytes[..length]).unwrap();
            let receive = Receive { proto: Protocol::Udp, source: hub, destination: self.address, contents };
            self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
            self.drain();
        }
        if speaks && self.connected {
            self.speak();
            self.film();
        }
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        self.drain();
    }

    fn speak(&mut self) {
        if self.began.elapsed() < Duration::from_millis(20 * self.spoken) {
            return;
        }
        let pt = self.rtc.codec_config().find(|params| params.spec().codec == Codec::Opus).unwrap().pt();
        let levels =
            ExtensionValues { audio_level: Some(-20), voice_activity: Some(true), ..ExtensionValues::default() };
        let timestamp = u32::try_from(self.spoken * 960).unwrap();
        let words = self.words[usize::try_from(self.spoken).unwrap() % self.words.len()].clone();
        let packet = RtpWrite::new(pt, (500 + self.spoken).into(), timestamp, Instant::now(), words);
        self.spoken += 1;
        let mut direct = self.rtc.direct_api();
        direct.stream_tx_by_mid(self.microphone, None).unwrap().write_rtp(packet.ext_vals(levels));
    }

    /// Thirty frames a second of one packet; a keyframe where one was asked for.
    fn film(&mut self) {
        if self.began.elapsed() < Duration::from_millis(33 * self.filmed) {
            return;
        }
        let pt = self.rtc.codec_config().find(|params| params.spec().codec == Codec::Vp8).unwrap().pt();
        let mut payload = vec![0x10, u8::from(!std::mem::take(&mut self.keyframe))];
        payload.resize(1000, 7);
        let timestamp = u32::try_from(self.filmed * 33 * 90).unwrap();
        let packet = RtpWrite::new(pt, (1000 + self.filmed).into(), timestamp, Instant::now(), payload).marker(true);
        self.filmed += 1;
        let mut direct = self.rtc.direct_api();
        direct.stream_tx_by_mid(self.camera, None).unwrap().write_rtp(packet);
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(transmit) => drop(self.socket.send_to(&transmit.contents, transmit.destination)),
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::KeyframeRequest(_)) => self.keyframe = true,
                Output::Event(Event::RtpPacket(packet)) => {
                    let pt = packet.header.payload_type;
                    let opus =
                        self.rtc.codec_config().find(|params| params.pt() == pt).map(|params| params.spec().codec);
                    let first = if opus == Some(Codec::Opus) { &mut self.voice } else { &mut self.picture };
                    first.get_or_insert_with(|| self.began.elapsed());
                }
                Output::Event(_) => {}
            }
        }
    }
}
