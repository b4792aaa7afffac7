//! What comes in pieces and is read in parts that must be whole.

/// Lets `read` read what was `held` and the `bytes` behind it; it says how much of that it took, and the rest is held from
/// now on. Nothing is copied of what came whole. After an error nothing is held.
pub(crate) fn feed<E>(
    mut held: Vec<u8>,
    bytes: &[u8],
    read: impl FnOnce(&[u8]) -> Result<usize, E>,
) -> Result<Vec<u8>, E> {
    if held.is_empty() {
        let used = read(bytes)?;
        held.extend_from_slice(bytes.get(used..).unwrap_or_default());
    } else {
        held.extend_from_slice(bytes);
        let used = read(&held)?;
        held.drain(..used.min(held.len()));
    }
    Ok(held)
}
