//! The gateway itself: the program as it is shipped, on loopback, with a database of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::ports::Ports;
use super::process::{Folder, Process};
use super::{s, until};

/// What the tests dial.
pub const NUMBER: &str = "+4930901820";
/// What guests key.
pub const PIN: &str = "1234#";

/// How a gateway is to be.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    tls: bool,
    ports: Option<Arc<Ports>>,
    browsers_at: Option<&'static str>,
    toml: Vec<(&'static str, String)>,
}

impl Setup {
    /// One that takes calls over UDP and TCP.
    pub fn new() -> Self {
        Self::default()
    }

    /// Over TLS too.
    pub fn tls(self) -> Self {
        Self { tls: true, ..self }
    }

    /// On these ports, which somebody else has to know before it starts.
    pub fn on(self, ports: Arc<Ports>) -> Self {
        Self { ports: Some(ports), ..self }
    }

    /// With its pages and what browsers send at this address too, and of their media there alone.
    pub fn browsers_at(self, address: &'static str) -> Self {
        Self { browsers_at: Some(address), ..self }
    }

    /// With this key in this section of the configuration, such as `media`, `timeout = "2s"`.
    pub fn with(mut self, section: &'static str, line: &str) -> Self {
        self.toml.push((section, line.to_owned()));
        self
    }

    /// Starts it; no trunk, number or room is known.
    #[track_caller]
    pub fn start(self) -> Gateway {
        let (folder, ports) = (Folder::new("gateway"), self.ports.unwrap_or_else(|| Arc::new(Ports::block())));
        let mut lines: Vec<(&str, String)> = vec![
            ("store", format!("path = {:?}", folder.file("ringlift.db"))),
            ("api", format!("listen = [\"127.0.0.1:{}\"]", ports.at(4))),
            ("api", format!("admin_key_file = {:?}", folder.file("admin.key"))),
            ("web", format!("listen = [\"udp:127.0.0.1:{0}\", \"tcp:127.0.0.1:{0}\"]", ports.at(6))),
            ("media", format!("first_port = {}", ports.at(10))),
            ("media", format!("last_port = {}", ports.at(299))),
            ("media", "quarantine = \"200ms\"".to_owned()),
            ("throttle", "caller_burst = 100000".to_owned()),
            ("throttle", "pin_burst = 1000".to_owned()),
            ("throttle", "number_burst = 1000".to_owned()),
            ("log", "level = \"debug,sqlx=warn\"".to_owned()),
        ];
        if let Some(address) = self.browsers_at {
            lines.retain(|(section, line)| *section != "web" && !line.starts_with("listen = [\"127"));
            lines.push(("api", format!("listen = [\"127.0.0.1:{0}\", \"{address}:{0}\"]", ports.at(4))));
            lines.push(("web", format!("listen = [\"udp:{address}:{0}\", \"tcp:{address}:{0}\"]", ports.at(6))));
        }
        let mut listen = Vec::new();
        for address in ["127.0.0.1", "[::1]"] {
            listen.push(format!("udp:{address}:{}", ports.at(0)));
            listen.push(format!("tcp:{address}:{}", ports.at(0)));
            if self.tls {
                listen.push(format!("tls:{address}:{}", ports.at(1)));
            }
        }
        lines.push(("sip", format!("listen = {listen:?}")));
        if self.tls {
            let certified =
                rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
            folder.write("cert.pem", &certified.cert.pem());
            folder.write("key.pem", &certified.signing_key.serialize_pem());
            lines.push(("sip", format!("tls_certificate = {:?}", folder.file("cert.pem"))));
            lines.push(("sip", format!("tls_key = {:?}", folder.file("key.pem"))));
        }
        // A test's own line takes the place of the one above with the same key.
        for (section, line) in &self.toml {
            let key = line.split('=').next().unwrap().trim();
            lines.retain(|(at, text)| at != section || text.split('=').next().unwrap().trim() != key);
            lines.push((section, line.clone()));
        }
        lines.sort_by_key(|(section, _)| *section);
        let mut toml = String::new();
        for group in lines.chunk_by(|one, two| one.0 == two.0) {
            toml.push_str(&format!("[{}]\n", group[0].0));
            group.iter().for_each(|(_, line)| toml.push_str(&format!("{line}\n")));
        }
        folder.write("ringlift.toml", &toml);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let process = launch(&folder);
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(s(10)).build().unwrap();
        let mut gateway = Gateway { process, runtime, client, key: String::new(), folder, ports, starts: 1 };
        gateway.await_readiness();
        gateway.key = std::fs::read_to_string(gateway.folder.file("admin.key")).unwrap().trim().to_owned();
        // What a first start makes for a first try lets everybody on this machine in: the tests know better.
        for list in ["/v1/dids", "/v1/trunks", "/v1/rooms"] {
            for item in gateway.get(list)["items"].as_array().unwrap() {
                let id = item["id"].as_str().or_else(|| item["settings"]["id"].as_str()).unwrap();
                gateway.delete(&format!("{list}/{id}"));
            }
        }
        gateway
    }

    /// Starts it with a trunk for this machine, a number that leads to the attendant, and a room with a PIN.
    #[track_caller]
    pub fn start_with_room(self) -> (Gateway, String) {
        let gateway = self.start();
        gateway.add_trunk("127.0.0.1/32");
        gateway.post("/v1/dids", &json!({ "called": NUMBER, "action": { "to": "attendant" }, "languages": ["en"] }));
        let room = gateway.add_room(
            json!({ "name": "Team", "pin": PIN.trim_end_matches('#'), "first_caller": "start", "tones_up_to": 0 }),
        );
        (gateway, room)
    }

    /// Starts it with a trunk for this machine and a number that leads straight into a room.
    #[track_caller]
    pub fn start_with_open_room(self) -> (Gateway, String) {
        let gateway = self.start();
        gateway.add_trunk("127.0.0.1/32");
        let room = gateway.add_room(json!({ "name": "Open", "first_caller": "start", "tones_up_to": 0 }));
        gateway.add_number(NUMBER, &room);
        (gateway, room)
    }
}

/// A running gateway.
pub struct Gateway {
    process: Process,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    key: String,
    folder: Folder,
    ports: Arc<Ports>,
    starts: u32,
}

fn launch(folder: &Folder) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringlift"));
    command.args(["serve", "--config", "ringlift.toml"]).current_dir(folder.path());
    let log = (1..).map(|n| folder.file(&format!("log.{n}"))).find(|path| !path.exists()).unwrap();
    Process::start("ringlift serve", &mut command, log)
}

impl Gateway {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// `host:port` of SIP over UDP and TCP.
    pub fn sip(&self) -> String {
        format!("127.0.0.1:{}", self.ports.at(0))
    }

    /// `host:port` of SIP over IPv6.
    pub fn sip6(&self) -> String {
        format!("[::1]:{}", self.ports.at(0))
    }

    /// `host:port` of SIP over TLS.
    pub fn sips(&self) -> String {
        format!("127.0.0.1:{}", self.ports.at(1))
    }

    /// The URI that the tests dial.
    pub fn uri(&self) -> String {
        format!("sip:{NUMBER}@{}", self.sip())
    }

    /// The API's address.
    pub fn api(&self) -> SocketAddr {
        format!("127.0.0.1:{}", self.ports.at(4)).parse().unwrap()
    }

    /// Where browsers' media come in, on whichever address.
    pub fn web(&self) -> SocketAddr {
        format!("127.0.0.1:{}", self.ports.at(6)).parse().unwrap()
    }

    /// The admin key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A file of its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.file(name)
    }

    /// The first and last RTP port, for a bad network.
    pub fn rtp_ports(&self) -> (u16, u16) {
        (self.ports.at(10), self.ports.at(299))
    }

    /// Everything it printed since it started.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What a path that needs no key answers.
    #[track_caller]
    pub fn text(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.api());
        let asked = self.client.get(&url).bearer_auth(&self.key);
        self.runtime.block_on(async { asked.send().await.unwrap().text().await.unwrap() })
    }

    /// Runs another command of the program beside it: what it printed, what it complained of, and its exit code.
    #[track_caller]
    pub fn run(&self, words: &[&str], limit: Duration) -> (String, String, i32) {
        let (out, error) = (self.folder.file("run.out"), self.folder.file("run.err"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringlift"));
        command.args(words).args(["--config", "ringlift.toml"]).current_dir(self.folder.path());
        command.stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&error).unwrap());
        let mut child = command.spawn().unwrap();
        let status = until("the command to end", limit, || child.try_wait().unwrap());
        let read = |path| std::fs::read_to_string(path).unwrap();
        (read(out), read(error), status.code().unwrap_or(-1))
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(&mut self, limit: Duration) -> ExitStatus {
        self.process.ended(limit)
    }

    /// Starts it again on the same database, after its end.
    #[track_caller]
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.folder);
        self.starts += 1;
        self.await_readiness();
    }

    /// Asks the API; the status and the body.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("http://{}{path}", self.api());
        let mut request = self.client.request(method.parse().unwrap(), url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.runtime.block_on(async {
            let response = request.send().await.unwrap_or_else(|e| panic!("{method} {path}: {e:?}\n{}", self.log()));
            let status = response.status().as_u16();
            let text = response.text().await.unwrap();
            (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
        })
    }

    /// Reads from the API.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.done_well("GET", path, None)
    }

    /// Makes something by the API, or has it done.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.done_well("POST", path, Some(body))
    }

    /// Changes something by the API, by what is to be otherwise.
    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Value {
        self.done_well("PATCH", path, Some(body))
    }

    /// Ends or takes away something by the API.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Value {
        self.done_well("DELETE", path, None)
    }

    #[track_caller]
    fn done_well(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.ask(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Knows a trunk by its network.
    pub fn add_trunk(&self, network: &str) {
        self.post("/v1/trunks", &json!({ "name": network, "networks": [network], "numbers": { "country": "49" } }));
    }

    /// Makes a room and returns its id.
    pub fn add_room(&self, settings: Value) -> String {
        let made = self.post("/v1/rooms", &settings);
        let id = made["id"].as_str().or_else(|| made["settings"]["id"].as_str());
        id.unwrap_or_else(|| panic!("no id in {made}")).to_owned()
    }

    /// Leads a number straight into a room.
    pub fn add_number(&self, number: &str, room: &str) {
        self.post("/v1/dids", &json!({ "called": number, "action": { "to": "room", "room": room } }));
    }

    /// Who is in a room.
    pub fn participants(&self, room: &str) -> Vec<Value> {
        self.get(&format!("/v1/rooms/{room}"))["participants"].as_array().unwrap().clone()
    }

    /// Waits until a call is recorded as ended for this cause.
    #[track_caller]
    pub fn records(&self, cause: &str) {
        let quoted = format!("\"{cause}\"");
        until(&format!("a record with cause {cause}"), s(5), || {
            self.get("/v1/call-records").to_string().contains(&quoted).then_some(())
        });
    }

    /// Waits until so many are in the room and heard there.
    #[track_caller]
    pub fn has_in_room(&self, room: &str, count: usize, limit: Duration) {
        until(&format!("{count} in the room"), limit, || {
            let active = self.participants(room).iter().filter(|p| p["state"] == "active").count();
            (active == count).then_some(())
        });
    }

    /// Reads the event log from this number on, as a browser would (server-sent events), until one of this type is there.
    #[track_caller]
    pub fn events(&self, after: u64, last: &str) -> Vec<Value> {
        let url = format!("http://{}/v1/events?after={after}", self.api());
        let quoted = format!("\"type\":\"{last}\"");
        let mut text = String::new();
        let read = async {
            let mut response = self.client.get(&url).timeout(s(50)).bearer_auth(&self.key).send().await.unwrap();
            while !text.lines().any(|line| line.contains(&quoted)) || !text.ends_with("\n\n") {
                let chunk = response.chunk().await.unwrap().expect("the stream goes on");
                text.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        let read = self.runtime.block_on(async { tokio::time::timeout(s(45), read).await });
        assert!(read.is_ok(), "no {last} among the events:\n{text}");
        text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect()
    }

    /// Figures of the node.
    pub fn status(&self) -> Value {
        self.get("/v1/status")["gateway"].clone()
    }

    /// The live calls.
    pub fn calls(&self) -> Vec<Value> {
        self.get("/v1/calls")["items"].as_array().unwrap().clone()
    }

    /// Waits until no call, dialog, participant or port is left.
    #[track_caller]
    pub fn settles(&self) {
        self.settles_within(s(10));
    }

    /// The same, where the far end leaves the gateway waiting.
    #[track_caller]
    pub fn settles_within(&self, limit: Duration) {
        let mut last = Value::Null;
        let counts = ["calls", "dialogs", "participants", "live_rooms", "ports"];
        let settled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until("nothing left", limit, || {
                last = self.status();
                counts.iter().all(|count| last[*count] == 0).then_some(())
            });
        }));
        assert!(settled.is_ok(), "something is left: {last}");
    }

    /// Ends the test: nothing is left, the program ends well when asked to, and it logged no error.
    #[track_caller]
    pub fn done(mut self) {
        self.settles();
        self.signal("TERM");
        let status = self.ended(s(15));
        assert!(status.success(), "{status}\n{}", self.log());
        self.logged_no_error();
    }

    /// Panics when any start of it logged an error, or panicked.
    #[track_caller]
    pub fn logged_no_error(&self) {
        for start in 1..=self.starts {
            let log = std::fs::read_to_string(self.folder.file(&format!("log.{start}"))).unwrap();
            let bad = log.lines().find(|line| line.contains("ERROR") || line.contains("panicked at"));
            assert!(bad.is_none(), "{}", bad.unwrap_or_default());
        }
    }

    #[track_caller]
    fn await_readiness(&mut self) {
        let url = format!("http://{}/readyz", self.api());
        until("the gateway to be ready", s(20), || {
            assert!(self.process.runs(), "the gateway does not start:\n{}", self.process.log());
            let answer = self.runtime.block_on(async { self.client.get(&url).send().await });
            answer.is_ok_and(|answer| answer.status().is_success()).then_some(())
        });
    }
}
