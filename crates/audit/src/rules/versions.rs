//! When versions of common images reach their end of life, by their makers' own schedules (as collected by
//! endoflife.date, November 2026).

use jiff::civil::Date;

/// Image, the beginning of the version, and the day after which no security fixes are published.
const ENDS: &[(&str, &str, (i16, i8, i8))] = &[
    ("postgres", "9", (2021, 11, 11)),
    ("postgres", "10", (2022, 11, 10)),
    ("postgres", "11", (2023, 11, 9)),
    ("postgres", "12", (2024, 11, 21)),
    ("postgres", "13", (2025, 11, 13)),
    ("postgres", "14", (2026, 11, 12)),
    ("postgres", "15", (2027, 11, 11)),
    ("postgres", "16", (2028, 11, 9)),
    ("mariadb", "5", (2020, 4, 11)),
    ("mariadb", "10.0", (2019, 3, 31)),
    ("mariadb", "10.1", (2020, 10, 17)),
    ("mariadb", "10.2", (2022, 5, 23)),
    ("mariadb", "10.3", (2023, 5, 25)),
    ("mariadb", "10.4", (2024, 6, 18)),
    ("mariadb", "10.5", (2025, 6, 24)),
    ("mariadb", "10.6", (2026, 7, 6)),
    ("mariadb", "10.7", (2023, 2, 9)),
    ("mariadb", "10.8", (2023, 5, 20)),
    ("mariadb", "10.9", (2023, 8, 22)),
    ("mariadb", "10.10", (2023, 11, 17)),
    ("mariadb", "11.0", (2024, 6, 6)),
    ("mariadb", "11.1", (2024, 8, 21)),
    ("mariadb", "11.2", (2024, 11, 21)),
    ("mariadb", "11.3", (2024, 5, 29)),
    ("mysql", "5", (2023, 10, 21)),
    ("mysql", "8.0", (2026, 4, 30)),
    ("mongo", "3", (2021, 4, 30)),
    ("mongo", "4", (2024, 2, 29)),
    ("mongo", "5", (2024, 10, 31)),
    ("mongo", "6", (2025, 7, 31)),
    ("redis", "3", (2018, 7, 7)),
    ("redis", "4", (2020, 4, 30)),
    ("redis", "5", (2022, 4, 27)),
    ("redis", "6.0", (2023, 8, 15)),
    ("redis", "7.0", (2024, 7, 29)),
    ("nginx", "1.10", (2017, 4, 12)),
    ("nginx", "1.12", (2018, 4, 17)),
    ("nginx", "1.13", (2018, 4, 17)),
    ("nginx", "1.14", (2019, 4, 23)),
    ("nginx", "1.15", (2019, 4, 23)),
    ("nginx", "1.16", (2020, 4, 21)),
    ("nginx", "1.17", (2020, 5, 26)),
    ("nginx", "1.18", (2021, 4, 20)),
    ("nginx", "1.19", (2021, 5, 25)),
    ("nginx", "1.20", (2022, 5, 24)),
    ("nginx", "1.21", (2022, 6, 21)),
    ("nginx", "1.22", (2023, 4, 11)),
    ("nginx", "1.23", (2023, 5, 23)),
    ("nginx", "1.24", (2024, 4, 23)),
    ("nginx", "1.25", (2024, 5, 29)),
    ("nginx", "1.26", (2025, 4, 23)),
    ("nginx", "1.27", (2025, 6, 24)),
    ("elasticsearch", "1", (2017, 1, 16)),
    ("elasticsearch", "2", (2018, 2, 28)),
    ("elasticsearch", "5", (2019, 3, 11)),
    ("elasticsearch", "6", (2022, 2, 10)),
    ("elasticsearch", "7", (2026, 1, 15)),
    ("kibana", "5", (2019, 3, 11)),
    ("kibana", "6", (2022, 2, 10)),
    ("kibana", "7", (2026, 1, 15)),
    ("python", "2", (2020, 1, 1)),
    ("python", "3.5", (2020, 9, 30)),
    ("python", "3.6", (2021, 12, 23)),
    ("python", "3.7", (2023, 6, 27)),
    ("python", "3.8", (2024, 10, 7)),
    ("python", "3.9", (2025, 10, 31)),
    ("python", "3.10", (2026, 10, 31)),
    ("python", "3.11", (2027, 10, 31)),
    ("node", "8", (2019, 12, 31)),
    ("node", "9", (2018, 6, 30)),
    ("node", "11", (2019, 6, 1)),
    ("node", "13", (2020, 6, 1)),
    ("node", "15", (2021, 6, 1)),
    ("node", "17", (2022, 6, 1)),
    ("node", "19", (2023, 6, 1)),
    ("node", "21", (2024, 6, 1)),
    ("node", "10", (2021, 4, 30)),
    ("node", "12", (2022, 4, 30)),
    ("node", "14", (2023, 4, 30)),
    ("node", "16", (2023, 9, 11)),
    ("node", "18", (2025, 4, 30)),
    ("node", "20", (2026, 4, 30)),
    ("node", "22", (2027, 4, 30)),
    ("debian", "9", (2022, 6, 30)),
    ("debian", "10", (2024, 6, 30)),
    ("debian", "11", (2026, 8, 31)),
    ("ubuntu", "16.04", (2021, 4, 30)),
    ("ubuntu", "18.04", (2023, 5, 31)),
    ("ubuntu", "20.04", (2025, 5, 31)),
    ("ubuntu", "22.04", (2027, 4, 1)),
    ("php", "7", (2022, 11, 28)),
    ("php", "8.0", (2023, 11, 26)),
    ("php", "8.1", (2025, 12, 31)),
    ("alpine", "3.8", (2020, 5, 1)),
    ("alpine", "3.9", (2020, 11, 1)),
    ("alpine", "3.10", (2021, 5, 1)),
    ("alpine", "3.11", (2021, 11, 1)),
    ("alpine", "3.12", (2022, 5, 1)),
    ("alpine", "3.13", (2022, 11, 1)),
    ("alpine", "3.14", (2023, 5, 1)),
    ("alpine", "3.15", (2023, 11, 1)),
    ("alpine", "3.16", (2024, 5, 23)),
    ("alpine", "3.17", (2024, 11, 22)),
    ("alpine", "3.18", (2025, 5, 9)),
    ("alpine", "3.19", (2025, 11, 1)),
    ("alpine", "3.20", (2026, 4, 1)),
    ("alpine", "3.21", (2026, 11, 1)),
];

/// Names of Debian's releases inside of tags, as in `python:3.11-buster`.
const DEBIAN: &[(&str, (i16, i8, i8))] = &[
    ("jessie", (2020, 6, 30)),
    ("stretch", (2022, 6, 30)),
    ("buster", (2024, 6, 30)),
    ("bullseye", (2026, 8, 31)),
    ("bookworm", (2028, 6, 30)),
];

/// When an image reaches its end of life, if that is known. `name` has no registry.
pub(super) fn end_of_life(name: &str, tag: &str) -> Option<Date> {
    let number: String =
        tag.trim_start_matches('v').chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let matches = |wanted: &str| {
        number == wanted || number.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'))
    };
    let name = if name == "postgis" { "postgres" } else { name };
    let own =
        ENDS.iter().filter(|(image, version, _)| *image == name && matches(version)).map(|(.., end)| *end);
    let parts: Vec<&str> = tag.split('-').collect();
    let debian = DEBIAN.iter().filter(|(release, _)| parts.contains(release)).map(|(_, end)| *end);
    // `python:3.11-alpine3.18` is built on that version of Alpine.
    let alpine = parts.iter().skip(1).filter_map(|part| part.strip_prefix("alpine")).flat_map(|version| {
        ENDS.iter()
            .filter(move |(image, known, _)| *image == "alpine" && *known == version)
            .map(|(.., end)| *end)
    });
    own.chain(debian).chain(alpine).filter_map(|(year, month, day)| Date::new(year, month, day).ok()).min()
}

/// Major and minor of a version tag; none for a tag that is no version.
pub(super) fn version(tag: &str) -> Option<(u32, Option<u32>)> {
    let number: String =
        tag.trim_start_matches('v').chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let mut parts = number.split('.');
    let major = parts.next()?.parse().ok()?;
    Some((major, parts.next().and_then(|minor| minor.parse().ok())))
}
