//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ringlift::app::{self, Failure, TrunkCommand};
use ringlift::engine::phone::{self, PhoneCommand};
use ringlift::relay::RelayOptions;

/// A telephone gateway that lifts calls into meetings.
#[derive(Parser)]
#[command(name = "ringlift", version, about)]
struct Arguments {
    /// The configuration; without it the defaults: this machine alone, data in the current directory.
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the gateway (the default).
    Serve,
    /// Tries everything that a start needs, without starting.
    Check,
    /// Says what would be done with a call, and why.
    Explain {
        /// A file with the INVITE as text; - is standard input.
        #[arg(conflicts_with_all = ["to", "from"], required_unless_present = "to")]
        file: Option<PathBuf>,
        /// The number dialled, or the whole SIP address.
        #[arg(long)]
        to: Option<String>,
        /// Who rings.
        #[arg(long, requires = "to")]
        from: Option<String>,
        /// The address the call comes from.
        #[arg(long, default_value = "127.0.0.1")]
        source: IpAddr,
    },
    /// Looks after trunks.
    #[command(subcommand)]
    Trunk(TrunkCommand),
    /// Runs in a customer's network and carries a call manager's calls to the gateway, without a hole in the firewall.
    Relay(RelayOptions),
    /// A SIP phone for scripts and demonstrations: calls, plays, keys digits, records.
    #[command(subcommand)]
    Phone(PhoneCommand),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure(vec![format!("the system gives no threads: {error}")])),
    };
    // As a task: on the thread that hears of a packet it needs no other woken, and what it gives to tasks runs there next.
    match runtime.block_on(runtime.spawn(run(arguments))) {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => fail(&failure),
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(ended) => fail(&Failure(vec![ended.to_string()])),
        },
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    if let Some(Command::Phone(command)) = arguments.command {
        let well = phone::run(command).await.map_err(|error| Failure(vec![error.to_string()]))?;
        return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if let Some(Command::Relay(options)) = arguments.command {
        return app::relay(options).await;
    }
    let (config, remarks) = app::configure(arguments.config.as_deref())?;
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => app::serve(config, remarks).await,
        Command::Check => app::check(&config, remarks).await.map(say),
        Command::Explain { file, to, from, source } => {
            app::explain(&config, app::Question { file, to, from, source }).await.map(say)
        }
        Command::Trunk(TrunkCommand::Test(options)) => {
            let (report, well) = app::test(&config, options).await?;
            let printed = say(report);
            Ok(if well { printed } else { ExitCode::FAILURE })
        }
        // Needs no configuration; done above.
        Command::Phone(_) | Command::Relay(_) => Ok(ExitCode::SUCCESS),
    }
}

#[allow(clippy::print_stdout, reason = "what was asked for")]
fn say(text: String) -> ExitCode {
    println!("{}", text.trim_end());
    ExitCode::SUCCESS
}

#[allow(clippy::print_stderr, reason = "why it did not work")]
fn fail(failure: &Failure) -> ExitCode {
    for line in &failure.0 {
        eprintln!("ringlift: {line}");
    }
    ExitCode::from(2)
}
