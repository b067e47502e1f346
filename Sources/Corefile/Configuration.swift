/// A Corefile, read and checked.
public struct Configuration: Hashable, Sendable {
  /// In the order of the file; empty for a file of comments and snippets.
  public var blocks: [ServerBlock]
  /// What to digest to tell one configuration from another: the words of the file after imports and environment
  /// variables, in one spelling of white space.
  public var normalizedText: String
  /// `import` lines whose pattern no file matches, with their places: nothing wrong, and maybe not what was meant.
  public var emptyImports: [String] = []

  /// What is served when no Corefile is found.
  public static func whoami(defaultPort: UInt16) -> Configuration {
    let location = SourceLocation(file: "Corefile", line: 1)
    var block = ServerBlock(location: location, keys: [ServerKey(zone: .root, port: defaultPort)])
    block.whoami = location
    block.log = [LogDirective(location: location, names: [.root], format: .common, classes: [.all])]
    return Configuration(blocks: [block], normalizedText: ".:\(defaultPort) {\n  whoami\n  log\n}\n")
  }
}

/// Reads a Corefile: any bytes give a configuration or the first error, in bounded time.
///
/// - Parameters:
///   - file: The name errors give, and the path whose folder relative imports start from.
///   - defaultPort: The port of keys that name none.
///   - environment: Where variables, imports and resolv.conf files are read.
public func parse(
  _ bytes: [UInt8], file: String = "Corefile", defaultPort: UInt16 = 53, environment: Environment = Environment()
) throws(CorefileError) -> Configuration {
  let session = ParseSession(environment: environment, defaultPort: defaultPort)
  let lexed = try Lexer.tokens(of: bytes, file: file, session: session)
  let tokens = try Importer.expand(lexed, file: file, session: session)

  var configuration = Configuration(blocks: [], normalizedText: "")
  for block in try BlockParser.blocks(of: tokens) {
    configuration.blocks.append(try ServerBlock(block, session: session))
    block.appendNormalized(to: &configuration.normalizedText)
  }
  configuration.emptyImports = session.emptyImports
  try requireDistinctListeners(configuration.blocks)
  return configuration
}
