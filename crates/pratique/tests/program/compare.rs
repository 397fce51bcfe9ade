//! `pratique compare`.

use crate::house::House;

#[test]
fn two_versions_are_ordered() {
    let house = House::new();
    for (scheme, left, right, sign) in [
        ("deb", "1.0~rc1-1", "1.0-1", "<"),
        ("rpm", "1.0^git1-1", "1.0-1", ">"),
        ("cargo", "1.0.0+a", "1.0.0+b", "="),
    ] {
        let ran = house.run(&["compare", scheme, left, right]).expect(0);
        assert_eq!(ran.stdout, format!("{sign}\n"), "{scheme} {left} {right}");
    }
}

#[test]
fn an_invalid_version_a_missing_one_and_an_unknown_scheme_are_usage_errors() {
    let house = House::new();
    house.run(&["compare", "semver", "1.0", "1.0.0"]).expect(2).says(&["\"1.0\""]);
    house.run(&["compare", "deb", "1.0"]).expect(2).says(&["second version"]);
    house.run(&["compare", "cpan", "1", "2"]).expect(2).says(&["cpan", "nuget"]);
}

#[test]
fn rows_that_do_not_hold_are_printed_and_counted() {
    let house = House::new();
    let rows = b"# comment\n// comment\n\n1 < 2\n2 < 1\n1.0 = 1.0\nx < 1\n1 < \n1 ? 2\n";
    let ran = house.run_with_input(&["compare", "semver", "-"], rows).expect(1);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.last(), Some(&"0 passed, 6 failed"), "{}", ran.stdout);
    let ran = house.run_with_input(&["compare", "deb", "-"], rows).expect(1);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.last(), Some(&"2 passed, 4 failed"), "{}", ran.stdout);
    assert!(lines.first().is_some_and(|line| line.starts_with("2 < 1")), "{}", ran.stdout);
    house
        .run_with_input(&["compare", "deb", "-"], b"1 < 2")
        .expect(0)
        .says(&["1 passed, 0 failed"]);
}
