use std::process::Command;

const README: &str = include_str!("../../README.md");

#[test]
fn the_example_prints_what_its_readme_says() {
    let expected = README.split_once("```text\n").unwrap().1.split_once("```").unwrap().0;
    let output = Command::new(env!("CARGO_BIN_EXE_soorma-example-03-memory")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success(), "{}", output.status);
}
