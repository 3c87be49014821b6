//! Recovery codes: what a person keeps on paper, for the day the authenticator is lost. Each has 80 random
//! bits, written as four times four letters and digits, and is good once.

/// How many a person has.
pub const COUNT: usize = 10;

/// The code made of some random bytes.
pub fn of(random: [u8; 10]) -> String {
    let text = totp_rs::Secret::from(random).to_base32().to_lowercase();
    let quarter = |nth: usize| &text[nth * 4..nth * 4 + 4];
    [quarter(0), quarter(1), quarter(2), quarter(3)].join("-")
}

/// The letters and digits of a code, however it was typed; nothing when it can be none.
pub fn plain(typed: &str) -> Option<String> {
    let kept = typed.chars().filter(|c| *c != '-' && *c != ' ');
    let plain: String = kept.map(|c| c.to_ascii_lowercase()).collect();
    let is_one = plain.len() == 16 && plain.bytes().all(|it| it.is_ascii_alphanumeric());
    is_one.then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_was_typed() {
        let code = of([0, 1, 2, 3, 4, 5, 6, 7, 8, 255]);
        assert_eq!(code, "aaaq-eaye-auda-och7");
        let bare = plain(&code).expect("a code");
        for typed in [
            bare.to_uppercase(),
            code.replace('-', " "),
            format!(" {code}"),
        ] {
            assert_eq!(plain(&typed).as_deref(), Some(&*bare));
        }
        for typed in ["", "123456", "aaaa-bbbb-cccc", "aaaa-bbbb-cccc-ddd!"] {
            assert_eq!(plain(typed), None, "{typed}");
        }
    }
}
