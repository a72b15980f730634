//! The known word that someone probably meant.

/// The least similarity (0 to 1) at which a word is suggested: two wrong letters in a word of six.
const SIMILAR: f64 = 0.6;

/// The least similarity at which a key is taken for a misspelt `password` or `secret`. `secure`, which is a key of
/// its own, lies at 0.67.
const MISSPELT: f64 = 0.7;

/// Words in a key that mean that its value is a secret.
const SECRET_WORDS: &[&str] =
    &["password", "passwd", "secret", "token", "credential", "pwd", "api_key", "apikey"];

/// The most similar of the known words, if one is similar at all.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (strsim::normalized_damerau_levenshtein(&word, &candidate.to_lowercase()), candidate)
        })
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        // Not the last of equals, as `max_by` would take: the order of the file's documentation decides.
        .fold(None, |best: Option<(f64, &str)>, next| match best {
            Some(found) if found.0 >= next.0 => Some(found),
            _ => Some(next),
        })
        .map(|(_, candidate)| candidate)
}

/// Whether a key, also a misspelt one, is that of a secret.
pub(crate) fn looks_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    let misspelt = |word: &&str| strsim::normalized_damerau_levenshtein(&key, word) >= MISSPELT;
    SECRET_WORDS.iter().any(|word| key.contains(word)) || ["password", "secret"].iter().any(misspelt)
}
