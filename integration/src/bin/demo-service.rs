//! One of the two demo apps as a program of its own, for docker compose.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use partywall_integration::services::{App, Place, serve};

const USAGE: &str = "usage: demo-service invoices|orders --listen ADDRESS [--control ADDRESS] [--outbound ADDRESS]

  --listen    where the app takes requests, as 127.0.0.1:8080
  --control   where `GET /__seen` tells what reached the app
  --outbound  the sidecar's outbound listener, through which `invoices` calls `orders`";

#[tokio::main]
async fn main() -> ExitCode {
    let place = match read(std::env::args().skip(1)) {
        Ok(place) => place,
        Err(error) => {
            eprintln!("demo-service: {error:#}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let end = async {
        // As the first process of a container it gets no default handling of signals.
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            result = serve(place) => result,
            _ = terminate.recv() => Ok(()),
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    };
    match end.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo-service: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<Place> {
    let app = match arguments.next().as_deref() {
        Some("invoices") => App::Invoices,
        Some("orders") => App::Orders,
        _ => bail!("which app?"),
    };
    let (mut listen, mut control, mut outbound) = (None, None, None);
    while let Some(option) = arguments.next() {
        let place = match option.as_str() {
            "--listen" => &mut listen,
            "--control" => &mut control,
            "--outbound" => &mut outbound,
            _ => bail!("unknown option `{option}`"),
        };
        let value = arguments.next().with_context(|| format!("`{option}` needs an address"))?;
        let address = value.strip_prefix("http://").unwrap_or(&value).trim_end_matches('/');
        *place = Some(address.parse().with_context(|| format!("`{option} {value}`: write it as 127.0.0.1:8080"))?);
    }
    Ok(Place { app, listen: listen.context("`--listen` is missing")?, control, outbound })
}
