import Corefile
import Testing

/// What the words of a file are.
@Suite struct GrammarTests {
  /// The text's words as the parser understood them.
  @Test(
    arguments: [
      (". { \n whoami\n}", ". {\n  whoami\n}\n"),
      // White space and comments do not count.
      (".   {# all of it\n\t whoami# and\n\n# more\n}", ". {\n  whoami\n}\n"),
      (". {\r\n who\rami\r\n}\r\n", ". {\n  whoami\n}\n"),
      ("\u{FEFF}. {\n\u{A0}whoami\u{2003}\n}", ". {\n  whoami\n}\n"),
      // A comment ends a word that it touches.
      (". {\n bind lo#1 eth0\n}", ". {\n  bind lo\n}\n"),
      // Quotes hold white space, comments, braces and lines; \" is their only escape.
      (#". {\#n log . "{type} # \"x\" \d""# + "\n}", ". {\n  log . \"{type} # \\\"x\\\" \\d\"\n}\n"),
      (". {\n log . \"{type}\n  {name}\"\n}", ". {\n  log . \"{type}\n  {name}\"\n}\n"),
      // A quote within a word is an ordinary character.
      (". {\n log . a\"{type}\"\n}", ". {\n  log . \"a\\\"{type}\\\"\"\n}\n"),
      // Keys.
      ("a b,c, d ,\ne {\n}", "a b c d e {\n}\n"),
      ("a,\nb\n{\nwhoami }", "a b {\n  whoami\n}\n"),
      // Without braces the file is one block.
      ("a b\nwhoami\nloop", "a b {\n  whoami\n  loop\n}\n"),
      ("a", "a {\n}\n"),
      // Options.
      (". {\n cache {\n keepttl\n }\n}", ". {\n  cache {\n    keepttl\n  }\n}\n"),
      (". {\n cache\n {\n keepttl\n }\n}", ". {\n  cache {\n    keepttl\n  }\n}\n"),
      (". { cache { keepttl } }", ". {\n  cache {\n    keepttl\n  }\n}\n"),
      (". {\n cache { }\n}", ". {\n  cache\n}\n"),
      ("a {\n} b {\n}", "a {\n}\nb {\n}\n"),
      ("", ""),
      ("# nothing", ""),
    ])
  func words(text: String, normalized: String) throws {
    let configuration = try read(text)
    #expect(configuration.normalizedText == normalized)
    #expect(try read(normalized).normalizedText == normalized)
  }

  @Test(
    arguments: [
      (". {", "Corefile:1 - Error during parsing: Unexpected EOF, expected '}' to end the block of ."),
      (". {\nwhoami\n\n", "Corefile:2 - Error during parsing: Unexpected EOF, expected '}' to end the block of ."),
      (". {\ncache {\n", "Corefile:2 - Error during parsing: Unexpected EOF, expected '}' to end cache"),
      (". {\n}\n}", "Corefile:3 - Error during parsing: Unexpected '}' because no matching opening brace"),
      (".\nwhoami\n}", "Corefile:3 - Error during parsing: Unexpected '}' because no matching opening brace"),
      ("\n{\n}", "Corefile:2 - Error during parsing: Unexpected token '{', expecting a zone"),
      (". {\n{\n}", "Corefile:2 - Error during parsing: Unexpected token '{', expecting a directive"),
      (". {\ncache {\n{\n}", "Corefile:3 - Error during parsing: Unexpected token '{', expecting an option"),
      (
        ". {\ncache {\n} 30\n}",
        "Corefile:3 - Error during parsing: Unexpected token '30' after '}', expecting a new line"
      ),
      ("a, {\n}", "Corefile:1 - Error during parsing: Expected another address but had '{' - check for extra comma"),
      ("a,", "Corefile:1 - Error during parsing: Unexpected EOF, expected another zone after ','"),
      ("\"\"", "Corefile:1 - Error during parsing: Unexpected EOF, expected a zone"),
      (". {\nlog . \"{type}\n}\n", "Corefile:2 - Error during parsing: Unexpected EOF, expected '\"' to end the quote"),
      (". {\n\u{0}\n}", "Corefile:2 - Error during parsing: unexpected NUL byte"),
      (". {\n\n nonsense 1 {\n}\n}", "Corefile:3 - Error during parsing: Unknown directive 'nonsense'"),
      (
        ". {\n chaos\n}",
        "Corefile:2 - no action found for directive 'chaos' with server type 'dns' (missing a plugin?)"
      ),
      (
        ". {\n kubernetes cluster.local {\n pods {\n }\n }\n}",
        "Corefile:2 - no action found for directive 'kubernetes' with server type 'dns' (missing a plugin?)"
      ),
    ])
  func refused(text: String, message: String) {
    #expect(refusal(text) == message)
  }

  @Test func errorsNameTheirPlace() {
    let error = #expect(throws: CorefileError.self) {
      try Corefile.parse(Array(". {\n\n cache soon.. \n}".utf8), file: "/etc/Corefile")
    }
    #expect(error?.location == Corefile.SourceLocation(file: "/etc/Corefile", line: 3))
    #expect(error?.directive == "cache")
    #expect(error?.message == "plugin/cache: unable to normalize 'soon..'")
  }

  @Test func invalidUTF8IsText() throws {
    let configuration = try Corefile.parse([0xFF, 0x20, 0x7B, 0x0A, 0x7D])
    #expect(configuration.blocks.count == 1)
  }

  @Test func theBuiltInConfigurationIsWhatItsTextSays() throws {
    let builtIn = Configuration.whoami(defaultPort: 5353)
    #expect(builtIn.normalizedText == ".:5353 {\n  whoami\n  log\n}\n")
    let parsed = try Corefile.parse(Array(builtIn.normalizedText.utf8))
    #expect(builtIn.normalizedText == parsed.normalizedText)
    #expect(builtIn.blocks[0].keys == parsed.blocks[0].keys)
    #expect(builtIn.blocks[0].log[0].format == parsed.blocks[0].log[0].format)
  }
}
