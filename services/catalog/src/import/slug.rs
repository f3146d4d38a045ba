//! From the name of a category to its id.

use crate::category::CategoryId;

/// Letters that people write in two or without their accent.
const SPELLED: [(&str, &str); 12] = [
    ("äæ", "ae"),
    ("öœ", "oe"),
    ("ü", "ue"),
    ("ß", "ss"),
    ("àáâãå", "a"),
    ("çćč", "c"),
    ("èéêëě", "e"),
    ("ìíîï", "i"),
    ("ñń", "n"),
    ("òóôõø", "o"),
    ("ùúûů", "u"),
    ("ýÿ", "y"),
];

/// The id of the category called `name`: its letters and digits in lower case, with `-` between words. A name without any that an id
/// may have gets `category-` and a hash. The same name always gives the same id, and it is always a valid one.
pub fn category_slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for c in name.chars().flat_map(char::to_lowercase) {
        match spelled(c) {
            Some(letters) => slug.push_str(letters),
            None if c.is_ascii_alphanumeric() => slug.push(c),
            None if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            None => {}
        }
    }
    // All of it is ASCII by now.
    slug.truncate(CategoryId::MAX);
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() { format!("category-{:016x}", fnv1a(name)) } else { slug }
}

fn spelled(c: char) -> Option<&'static str> {
    SPELLED.iter().find(|(letters, _)| letters.contains(c)).map(|(_, spelling)| *spelling)
}

/// FNV-1a: a hash that is the same in every release, unlike the standard library's.
fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_become_readable_ids() {
        assert_eq!(category_slug("Hex Bolts & Nuts"), "hex-bolts-nuts");
        assert_eq!(category_slug("  universe/libs "), "universe-libs");
        assert_eq!(category_slug("Schläuche Größe 3"), "schlaeuche-groesse-3");
        assert_eq!(category_slug(&"x".repeat(100)), "x".repeat(63));
        assert!(category_slug("Болты").starts_with("category-"));
        assert_ne!(category_slug("Болты"), category_slug("Гайки"));
    }

    proptest! {
        #[test]
        fn every_name_gives_a_valid_id(name in any::<String>()) {
            prop_assert!(CategoryId::parse("id", category_slug(&name)).is_ok());
        }
    }
}
