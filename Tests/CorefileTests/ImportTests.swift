import Corefile
import Testing

/// `import` and snippets.
@Suite struct ImportTests {
  private func environment(_ files: [String: String]) -> Environment {
    Environment(variables: ["NAME": "tail"], files: files)
  }

  private func normalized(_ text: String, _ files: [String: String] = [:], file: String = "/etc/Corefile") throws
    -> String
  {
    try Corefile.parse(Array(text.utf8), file: file, environment: environment(files)).normalizedText
  }

  private func refusal(_ text: String, _ files: [String: String] = [:]) -> String? {
    CorefileTests.refusal(text, environment: environment(files))
  }

  @Test func aSnippetStandsForItsLines() throws {
    let text = "(tail) {\n errors\n cache {\n  keepttl\n }\n}\n. {\n import tail\n whoami\n}\nb {\n import {$NAME}\n}"
    let tail = "  errors\n  cache {\n    keepttl\n  }\n"
    #expect(try normalized(text) == ". {\n\(tail)  whoami\n}\nb {\n\(tail)}\n")
  }

  @Test func aSnippetMayHoldOptionsOrKeys() throws {
    let text = "(o) { keepttl }\n(k) {\n a b\n}\nimport k {\n cache {\n import o\n }\n}"
    #expect(refusal(text) == "Corefile:5 - Error during parsing: Import takes only one argument (glob pattern or file)")
    let split = "(o) { keepttl }\n(k) {\n a b\n}\nimport k\n{\n cache {\n import o\n }\n}"
    #expect(try normalized(split) == "a b {\n  cache {\n    keepttl\n  }\n}\n")
  }

  @Test func filesAreFoundFromTheImportingFile() throws {
    let files = ["/etc/conf.d/one": "import two\n", "/etc/conf.d/two": "errors\nimport /abs\n", "/abs": "loop"]
    #expect(try normalized(". {\n import conf.d/one\n whoami\n}", files) == ". {\n  errors\n  loop\n  whoami\n}\n")
    #expect(try normalized(". {\n import two\n}", ["two": "loop"], file: "Corefile") == ". {\n  loop\n}\n")
  }

  @Test func aPatternThatNothingMatchesIsTold() throws {
    let text = ". {\n import conf.d/*.conf\n whoami\n}"
    let configuration = try Corefile.parse(Array(text.utf8), file: "/etc/Corefile", environment: environment([:]))
    #expect(configuration.emptyImports == ["/etc/Corefile:2 - import: no file matches conf.d/*.conf"])
    #expect(configuration.normalizedText == ". {\n  whoami\n}\n")
  }

  @Test func aPatternImportsItsMatchesInOrder() throws {
    let files = [
      "/etc/custom/b.server": "b {\n}", "/etc/custom/a.server": "a {\n}", "/etc/custom/a.override": "loop",
      "/etc/custom/sub/c.server": "c {\n}",
    ]
    #expect(try normalized("import custom/*.server", files) == "a {\n}\nb {\n}\n")
    #expect(try normalized("z {\n}\nimport none/*.server\n", files) == "z {\n}\n")
  }

  @Test func errorsNameTheImportedFile() {
    let text = ". {\n import custom\n}"
    #expect(refusal(text, ["custom": "\nbad"]) == "custom:2 - Error during parsing: Unknown directive 'bad'")
  }

  @Test(
    arguments: [
      (". {\n import\n}", "Wrong argument count or unexpected line ending after 'import'"),
      (". {\n import \"\"\n}", "Import requires a non-empty filepath"),
      (". {\n import a b\n}", "Import takes only one argument (glob pattern or file)"),
      (". {\n import a\n}", "File to import not found: a"),
      (". {\n import */*\n}", "Glob pattern may only contain one wildcard (*), but has others: */*"),
      (". {\n import a?\n}", "Glob pattern may only contain one wildcard (*), but has others: a?"),
      ("\n(a) {\nimport a\n}\n. {\n import a\n}", "import cycle: Corefile imports (a) imports (a)"),
      ("(a) {\n}\n(a) {\n}", "redeclaration of previously declared snippet a"),
      ("\n(a) {\n", "Unexpected EOF, expected '}' to end snippet a"),
    ])
  func refused(text: String, message: String) throws {
    #expect(try #require(refusal(text)).hasSuffix(" - Error during parsing: \(message)"))
  }

  @Test func cyclesOfFilesEnd() {
    let files = ["a": "import b", "b": "import a", "Corefile": "import Corefile"]
    #expect(
      refusal("\nimport a", files) == "b:1 - Error during parsing: import cycle: Corefile imports a imports b imports a"
    )
    #expect(
      refusal("import Corefile", files)
        == "Corefile:1 - Error during parsing: import cycle: Corefile imports Corefile")
  }

  @Test func deepImportsEnd() {
    let files = Dictionary(uniqueKeysWithValues: (0..<100).map { ("f\($0)", "import f\($0 + 1)") })
    #expect(refusal("import f0", files) == "f31:1 - Error during parsing: maximum import depth (32) exceeded")
  }

  @Test func doublingSnippetsEnd() throws {
    var text = "(s0) {\n}\n"
    for level in 1...30 { text += "(s\(level)) {\nimport s\(level - 1)\nimport s\(level - 1)\n}\n" }
    #expect(
      try #require(refusal(text + ". {\nimport s30\n}")).hasSuffix("maximum number of imports (1000) exceeded"))
  }

  @Test func doublingWordsEnd() throws {
    var text = "(s0) {\n" + String(repeating: "loop\n", count: 1000) + "}\n"
    for level in 1...9 { text += "(s\(level)) {\nimport s\(level - 1)\nimport s\(level - 1)\n}\n" }
    #expect(
      try #require(refusal(text + ". {\nimport s9\n}")).hasSuffix("configuration too large: more than 131072 words"))
  }

  @Test func hugeFilesEnd() throws {
    let files = ["big": String(repeating: "#", count: 1 << 20)]
    let text = String(repeating: "import big\n", count: 9)
    #expect(
      try #require(refusal(text, files)).hasSuffix("configuration too large: more than 8388608 bytes of configuration"))
  }

  @Test func theDigestFollowsImports() throws {
    let text = ". {\n import a # comment\n}"
    #expect(try normalized(text, ["/etc/a": "loop"]) == normalized(". { import a }", ["/etc/a": "loop # x"]))
    #expect(try normalized(text, ["/etc/a": "loop"]) != normalized(text, ["/etc/a": "errors"]))
  }
}
