//! `ringlift trunk test`: has the running node test a trunk, for carriers admit its address and know its account, and prints
//! what it found.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app::Failure;
use crate::base::Secret;
use crate::config::Config;
use crate::gateway::view::{StepOutcome, TrialReport, TrialRequest};

/// What is done with trunks.
#[derive(Debug, Clone, Subcommand)]
pub enum TrunkCommand {
    /// Tests a trunk of the running gateway and prints a report for the carrier's support desk: OPTIONS, REGISTER, and with
    /// --call a call with a tone, keys, hold, resume, session refresh and BYE. Exits with 0 where everything went well.
    Test(TrialOptions),
}

/// How a trunk is tested.
#[derive(Debug, Clone, clap::Args)]
pub struct TrialOptions {
    /// The trunk's name or id.
    name: String,
    /// A number that answers and sends back what it hears.
    #[arg(long, value_name = "NUMBER")]
    call: Option<String>,
    /// Whom the far end is asked to transfer itself to at the end (REFER).
    #[arg(long, value_name = "NUMBER", requires = "call")]
    refer: Option<String>,
    /// The report as JSON.
    #[arg(long)]
    json: bool,
    /// Whole numbers, where the key may see them; else they are masked.
    #[arg(long)]
    show_numbers: bool,
    /// The gateway's API; without it the first address of `api.listen`.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A file with an API key; without it the environment's RINGLIFT_API_KEY, or the file of `api.admin_key_file`.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// Between two looks at how far the test is.
const LOOK: Duration = Duration::from_millis(300);
/// No test takes longer: the sum of all its steps' patience.
const LONGEST: Duration = Duration::from_secs(300);

/// Tests a trunk; the report, and whether everything went well.
pub async fn test(config: &Config, options: TrialOptions) -> Result<(String, bool), Failure> {
    let api = Api::new(config, &options)?;
    let trunks: Value = api.get("/v1/trunks").await?;
    let id = find(&trunks, &options.name)?;
    let path = format!("/v1/trunks/{id}/test");
    let asked = TrialRequest { call: options.call.clone(), refer: options.refer.clone() };
    let mut report: TrialReport = api.post(&path, &asked).await?;
    let mut told = 0;
    let limit = tokio::time::Instant::now() + LONGEST;
    loop {
        if !options.json {
            told = tell(&report, told);
        }
        if !report.running {
            break;
        }
        if tokio::time::Instant::now() > limit {
            return Err(Failure::one("the test does not come to an end"));
        }
        tokio::time::sleep(LOOK).await;
        report = api.get(&path).await?;
    }
    let passed = report.passed;
    let report = if options.show_numbers { report } else { report.masked() };
    if options.json {
        return serde_json::to_string_pretty(&report).map(|text| (text, passed)).map_err(Failure::one);
    }
    let mut text = report.to_string();
    for step in &report.steps {
        text.push_str(&format!("\n{step}"));
    }
    Ok((text, passed))
}

/// Says which steps are done since the last look; how many are.
#[allow(clippy::print_stderr, reason = "progress, beside the report on standard output")]
fn tell(report: &TrialReport, told: usize) -> usize {
    let done = report.steps.iter().take_while(|step| step.outcome != StepOutcome::Running).count();
    for step in report.steps.iter().take(done).skip(told) {
        eprintln!("{:<8} {}: {}", step.outcome.text(), step.step.text(), step.seen);
    }
    done
}

/// The id of the trunk that is called or named so.
fn find(trunks: &Value, name: &str) -> Result<String, Failure> {
    let none = Vec::new();
    let items = trunks.get("items").and_then(Value::as_array).unwrap_or(&none);
    let field = |item: &Value, key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let found: Vec<String> = items
        .iter()
        .filter(|item| field(item, "id") == name || field(item, "name").eq_ignore_ascii_case(name))
        .map(|item| field(item, "id"))
        .collect();
    match found.as_slice() {
        [id] => Ok(id.clone()),
        [] => {
            let names: Vec<String> = items.iter().map(|item| field(item, "name")).collect();
            Err(Failure::one(format!("there is no trunk {name}; there are: {}", names.join(", "))))
        }
        several => {
            Err(Failure::one(format!("several trunks are called {name}: name one by its id: {}", several.join(", "))))
        }
    }
}

/// The running node's API.
struct Api {
    client: reqwest::Client,
    url: String,
    key: Secret,
}

impl Api {
    #[allow(clippy::disallowed_methods, reason = "the command line's own environment and files")]
    fn new(config: &Config, options: &TrialOptions) -> Result<Self, Failure> {
        let url = match (&options.url, config.api.listen.first()) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(address)) => format!("http://{}", reachable(*address)),
            (None, None) => return Err(Failure::one("api.listen is empty: name the gateway's API with --url")),
        };
        let read = |path: &Path| {
            std::fs::read_to_string(path)
                .map_err(|error| Failure::one(format!("cannot read the API key in {}: {error}", path.display())))
        };
        let key = match (&options.key_file, std::env::var("RINGLIFT_API_KEY"), &config.api.admin_key_file) {
            (Some(path), _, _) => read(path)?,
            (None, Ok(key), _) => key,
            (None, Err(_), Some(path)) => read(path)?,
            (None, Err(_), None) => {
                return Err(Failure::one(
                    "an API key is needed: name its file with --key-file, or set RINGLIFT_API_KEY",
                ));
            }
        };
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build();
        Ok(Self { client: client.map_err(Failure::one)?, url, key: Secret::new(key.trim()) })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(self.client.get(format!("{}{path}", self.url))).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &TrialRequest) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(Failure::one)?;
        let request = self.client.post(format!("{}{path}", self.url)).header("content-type", "application/json");
        self.send(request.body(body)).await
    }

    async fn send<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, Failure> {
        let sent = request.header("authorization", format!("Bearer {}", self.key.expose())).send().await;
        let response = sent.map_err(|error| {
            Failure::one(format!(
                "the gateway does not answer at {}: {}; is it running?",
                self.url,
                error.without_url()
            ))
        })?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(|error| Failure::one(error.without_url()))?;
        if !status.is_success() {
            let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let said = problem.get("detail").or_else(|| problem.get("title")).and_then(Value::as_str);
            return Err(Failure::one(format!("the gateway says {status}: {}", said.unwrap_or("nothing more"))));
        }
        serde_json::from_slice(&bytes).map_err(|error| Failure::one(format!("the gateway's answer is odd: {error}")))
    }
}

/// Where something that listens everywhere is reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(ip, address.port())
}
