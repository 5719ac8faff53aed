use super::*;

fn file(text: &str) -> Result<Settings, ConfigError> {
    Settings::parse("daybook.toml", text)
}

fn one(name: &'static str, text: &str) -> Settings {
    Settings::default()
        .overridden(|variable| (variable == format!("DAYBOOK_{name}")).then(|| text.to_owned()))
        .expect("no file is named")
}

#[test]
fn the_environment_wins_over_the_file() {
    let settings = file("log = 'debug'\nevents_pool = 7").unwrap();
    let settings = settings.overridden(|name| (name == "DAYBOOK_LOG").then(|| "warn".to_owned()));
    let settings = settings.unwrap();
    assert_eq!(settings.required(keys::LOG), Ok("warn".to_owned()));
    assert_eq!(settings.required(keys::EVENTS_POOL), Ok(7));
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    assert_eq!(one("MEILI_URL", "").optional(keys::MEILI_URL), Ok(None));
}

#[test]
fn a_missing_value_is_named() {
    let error = Settings::default().required(keys::EVENTS_URL).unwrap_err();
    assert_eq!(error.to_string(), "DAYBOOK_EVENTS_URL is missing");
}

#[test]
fn a_wrong_value_is_named_and_never_shown() {
    let error = one("VAULT_KEY", "hunter2").required(keys::VAULT_KEY).unwrap_err();
    assert_eq!(error.to_string(), "DAYBOOK_VAULT_KEY is wrong: must be 64 hexadecimal digits");
    let error = one("EVENTS_URL", "mysql://u:hunter2@h/d").required(keys::EVENTS_URL).unwrap_err();
    assert!(!error.to_string().contains("hunter2"));
    assert!(one("LISTEN", "8080").required(keys::LISTEN).is_err());
    assert!(one("EVENTS_POOL", "0").required(keys::EVENTS_POOL).is_err());
    assert!(one("TOKEN_KEY", "abcd").required(keys::TOKEN_KEY).is_err());
}

#[test]
fn an_unknown_key_in_the_file_is_named() {
    let error = file("event_url = 'postgres://h/d'").unwrap_err();
    assert_eq!(error.to_string(), "daybook.toml: unknown key `event_url`");
}

#[test]
fn a_broken_file_says_so() {
    assert!(matches!(file("log = "), Err(ConfigError::File { .. })));
    assert!(matches!(file("log = ['a']"), Err(ConfigError::Invalid { name: "LOG", .. })));
}

#[test]
fn secrets_are_never_shown() {
    let settings = one("MEILI_KEY", "hunter2");
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert!(!format!("{:?}", settings.required(keys::MEILI_KEY)).contains("hunter2"));
    let settings = one("EVENTS_URL", "postgres://u:hunter2@h:1/d");
    assert_eq!(format!("{:?}", settings.required(keys::EVENTS_URL).unwrap()), "postgres://h:1/d");
    let settings = one("NATS_URL", "nats://u:hunter2@h:4222");
    assert_eq!(format!("{:?}", settings.required(keys::NATS_URL).unwrap()), "nats://h:4222");
}

#[test]
fn a_value_may_be_in_a_file_of_its_own() {
    let path = std::env::temp_dir().join(format!("daybook-vault-key-{}", std::process::id()));
    let named = path.to_str().unwrap().to_owned();
    let with = |more: Option<&str>| {
        Settings::default().overridden(|name| match name {
            "DAYBOOK_VAULT_KEY_FILE" => Some(named.clone()),
            "DAYBOOK_VAULT_KEY" => more.map(str::to_owned),
            _ => None,
        })
    };
    let told = |settings: &Settings| settings.required(keys::VAULT_KEY).unwrap_err().to_string();
    // It is read only for who asks for it.
    let settings = with(None).unwrap();
    assert_eq!(settings.optional(keys::MEILI_KEY), Ok(None));
    let reason = told(&settings);
    let unread = "DAYBOOK_VAULT_KEY is wrong: the file that DAYBOOK_VAULT_KEY_FILE names: ";
    assert!(reason.starts_with(unread), "{reason}");
    std::fs::write(&path, "\n").unwrap();
    assert!(told(&settings).ends_with("is empty"));
    std::fs::write(&path, format!("{}\n", "07".repeat(32))).unwrap();
    assert_eq!(settings.required(keys::VAULT_KEY), Ok(Secret::new([7; 32])));
    let both = with(Some("08")).unwrap_err().to_string();
    assert_eq!(both, "DAYBOOK_VAULT_KEY is wrong: DAYBOOK_VAULT_KEY_FILE is given too");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_secret_in_the_place_of_its_files_name_is_not_shown() {
    let settings = one("VAULT_KEY_FILE", "hunter2");
    let error = settings.required(keys::VAULT_KEY).unwrap_err();
    assert!(!format!("{settings:?} {error} {error:?}").contains("hunter2"), "{error}");
}

#[test]
fn several_keys_have_commas_between() {
    let two = one("VAULT_OTHER_KEYS", &format!("{}, {}", "07".repeat(32), "08".repeat(32)));
    assert_eq!(two.required(keys::VAULT_OTHER_KEYS), Ok(Secret::new(vec![[7; 32], [8; 32]])));
    assert!(one("VAULT_OTHER_KEYS", "07,").required(keys::VAULT_OTHER_KEYS).is_err());
}
