//! Random bytes from the operating system: secrets, and names and ports that collide with nobody's.

use std::fmt::Write;
use std::fs::File;
use std::io::Read;

use crate::failure::{During, Result};

/// As many random bytes as asked for.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut source = File::open("/dev/urandom").during(|| "cannot open /dev/urandom".into())?;
    source.read_exact(&mut bytes).during(|| "cannot read /dev/urandom".into())?;
    Ok(bytes)
}

/// `N` random bytes in lower-case hexadecimal.
pub fn hex<const N: usize>() -> Result<String> {
    let mut text = String::with_capacity(N * 2);
    for byte in bytes::<N>()? {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
