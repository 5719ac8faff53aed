//! Requests to stop: Ctrl-C, SIGTERM and a closed terminal, noticed and never acted on here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::failure::{During, Failure, Result};

/// A flag that any of the stopping signals raises.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over the stopping signals of this process.
    pub fn listen() -> Result<Self> {
        let raised = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&raised))
                .during(|| "cannot listen for signals".into())?;
        }
        Ok(Self(raised))
    }

    /// Whether someone asked to stop.
    pub fn raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Fails once someone asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.raised() { Err(Failure::Interrupted) } else { Ok(()) }
    }
}
