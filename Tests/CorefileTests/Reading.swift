import Corefile
import Testing

/// The configuration of a text that must be accepted.
func read(
  _ text: String, environment: Environment = Environment(), at location: Testing.SourceLocation = #_sourceLocation
) throws -> Configuration {
  do {
    return try Corefile.parse(Array(text.utf8), environment: environment)
  } catch {
    Issue.record("\(error)", sourceLocation: location)
    throw error
  }
}

/// The first block of a text that must be accepted.
func readBlock(
  _ text: String, environment: Environment = Environment(), at location: Testing.SourceLocation = #_sourceLocation
) throws -> ServerBlock {
  try #require(try read(text, environment: environment, at: location).blocks.first, sourceLocation: location)
}

/// The block `. { <lines> }`; the first of the lines is line 2.
func readDirectives(
  _ lines: String, environment: Environment = Environment(), at location: Testing.SourceLocation = #_sourceLocation
) throws -> ServerBlock {
  try readBlock(". {\n\(lines)\n}", environment: environment, at: location)
}

/// What a text is refused with, nil where it is accepted.
func refusal(_ text: String, environment: Environment = Environment()) -> String? {
  do {
    _ = try Corefile.parse(Array(text.utf8), environment: environment)
    return nil
  } catch {
    return error.description
  }
}

/// What `. { <lines> }` is refused with.
func directiveRefusal(_ lines: String, environment: Environment = Environment()) -> String? {
  refusal(". {\n\(lines)\n}", environment: environment)
}
