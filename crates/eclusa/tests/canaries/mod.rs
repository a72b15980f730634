//! Secrets that are planted to be found again: distinct values of every shape, each with the place it was planted in.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod planting;
pub mod search;
pub mod watcher;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A planted secret.
#[derive(Debug, Clone)]
pub struct Canary {
    /// Where it was planted.
    pub place: String,
    /// Its value.
    pub value: String,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Letters and digits.
    Random,
    /// What has to be escaped in URLs, JSON, HTML and shells.
    Symbols,
    /// With spaces.
    Spaces,
    /// With dollars, as Compose would fill in.
    Dollars,
    /// As base64 looks.
    Base64,
    /// Letters alone, as people choose them.
    Letters,
    /// A key of several lines.
    Lines,
    /// Six characters.
    Short,
}

impl Shape {
    /// Those that can stand on one line of an env file.
    pub const ON_ONE_LINE: [Self; 6] =
        [Self::Random, Self::Symbols, Self::Spaces, Self::Dollars, Self::Base64, Self::Letters];
}

/// Draws distinct values, the same each time.
#[derive(Default)]
pub struct Nest {
    /// All so far.
    pub canaries: Vec<Canary>,
    state: u64,
}

impl Nest {
    fn draw(&mut self, count: usize, from: &str) -> String {
        let letters: Vec<char> = from.chars().collect();
        (0..count)
            .map(|_| {
                self.state = self
                    .state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                letters[usize::try_from(self.state >> 33).unwrap() % letters.len()]
            })
            .collect()
    }

    /// A new one for a place.
    pub fn lay(&mut self, place: &str, shape: Shape) -> String {
        const MIXED: &str = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789";
        let mut mixed = |count| self.draw(count, MIXED);
        let value = match shape {
            Shape::Random => mixed(20),
            Shape::Symbols => format!("{}@/{}\"'&<é+{}%", mixed(5), mixed(6), mixed(6)),
            Shape::Spaces => format!("{} {} {}", mixed(6), mixed(7), mixed(8)),
            Shape::Dollars => format!("{}${}$$9{}", mixed(7), mixed(5), mixed(7)),
            Shape::Base64 => format!("{}+{}/{}==", mixed(9), mixed(8), mixed(9)),
            Shape::Letters => self.draw(18, "abcdefghijklmnopqrstuvwxyz"),
            Shape::Lines => format!("{}\n{}\n{}", mixed(40), mixed(40), mixed(12)),
            Shape::Short => mixed(6),
        };
        self.canaries.push(Canary { place: place.to_owned(), value: value.clone() });
        value
    }

    /// Takes what was made elsewhere.
    pub fn adopt(&mut self, place: &str, value: &str) {
        self.canaries.push(Canary { place: place.to_owned(), value: value.to_owned() });
    }
}

/// A text as it stands in a URL.
pub fn percent(value: &str) -> String {
    value
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// A text as it stands in JSON, without its quotes.
pub fn json(value: &str) -> String {
    let text = serde_json::to_string(value).unwrap();
    text[1..text.len() - 1].to_owned()
}

/// A text in base64.
pub fn base64(value: &str) -> String {
    STANDARD.encode(value)
}

impl Canary {
    /// The forms that must be nowhere. A part of it is one as well: half a password is a good guess.
    pub fn forms(&self) -> Vec<String> {
        let value = &self.value;
        let mut forms = vec![value.clone(), percent(value), percent(value).replace("%20", "+"), json(value)];
        forms.push(base64(value).trim_end_matches('=').trim_end_matches(char::is_alphanumeric).to_owned());
        let encoded = base64(value);
        let whole = encoded.len() - encoded.chars().rev().take_while(|c| *c == '=').count() - 1;
        forms.push(encoded[..whole].to_owned());
        for line in value.lines().filter(|line| line.chars().count() >= 12) {
            let characters: Vec<char> = line.chars().collect();
            forms.push(characters[..10].iter().collect());
            forms.push(characters[characters.len() - 10..].iter().collect());
        }
        forms.sort();
        forms.dedup();
        forms.retain(|form| form.len() >= 6);
        forms
    }
}
