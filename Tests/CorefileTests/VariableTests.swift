import Corefile
import Testing

/// `{$NAME}` and `{%NAME%}`.
@Suite struct VariableTests {
  @Test(
    arguments: [
      ("{$HOST}", "10.0.0.1"), ("{%HOST%}", "10.0.0.1"), ("{$HOST}:9253", "10.0.0.1:9253"), ("a{$UNSET}b", "ab"),
      ("{$HOST}{%HOST%}", "10.0.0.110.0.0.1"), ("{$}", "{$}"), ("{%%}", "{%%}"), ("{$HOST", "{$HOST"),
      ("{%HOST}", "{%HOST}"), ("{$BRACE}", "{"), ("{$AGAIN}", "{$HOST}"), ("{{$HOST}}", "{10.0.0.1}"),
      ("{%HOST{$HOST}", "{%HOST10.0.0.1"),
    ])
  func expands(word: String, value: String) throws {
    let variables = ["HOST": "10.0.0.1", "BRACE": "{", "AGAIN": "{$HOST}"]
    let environment = Environment(variables: variables)
    let block = try readDirectives("log . \"\(word){\"", environment: environment)
    #expect(block.log[0].format == LogFormat(value + "{"))
  }

  @Test func aKeyMayBeAVariable() throws {
    let block = try readBlock(
      "{$ZONE}:{$PORT} {\n}", environment: Environment(variables: ["ZONE": "A.b", "PORT": "54"]))
    #expect(block.keys.map(\.description) == ["dns://a.b.:54"])
  }

  @Test func endlessReferencesTakeBoundedTime() throws {
    let text = String(repeating: "{$", count: 200_000) + String(repeating: "{%", count: 200_000)
    #expect(refusal(". {\nlog . \"\(text)\"\n}") == nil)
  }

  @Test func anEnormousValueIsRefused() throws {
    let environment = Environment(variables: ["BIG": String(repeating: "x", count: 100_000)])
    let text = String(repeating: "{$BIG}", count: 11)
    #expect(
      refusal(". {\nlog . \(text)\n}", environment: environment)
        == "Corefile:2 - Error during parsing: configuration too large: more than 1048576 bytes from environment variables"
    )
  }
}
