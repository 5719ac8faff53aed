//! Being told to stop: by Ctrl-C or by whoever manages processes.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What the program exits with when it was told to stop.
const EXIT_INTERRUPTED: u8 = 130;

/// Cancelled when the program is to stop.
pub(crate) fn stop_on_signal() -> Result<CancellationToken, std::io::Error> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}

/// Says that it stopped, where another run goes on.
#[expect(clippy::print_stderr, reason = "it is for whoever stopped it")]
pub(crate) fn interrupted() -> ExitCode {
    eprintln!("stopped; run it again to go on");
    ExitCode::from(EXIT_INTERRUPTED)
}
