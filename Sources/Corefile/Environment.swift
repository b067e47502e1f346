/// What a Corefile may read besides itself: environment variables, and files it imports or forwards to.
public struct Environment: Sendable {
  /// The value of an environment variable, nil where unset.
  public var variable: @Sendable (_ name: String) -> String?
  /// A file's bytes, nil where it cannot be read.
  public var contents: @Sendable (_ path: String) -> [UInt8]?
  /// The paths that match a pattern with one `*`, sorted.
  public var matches: @Sendable (_ pattern: String) -> [String]

  public init(
    variable: @escaping @Sendable (String) -> String?,
    contents: @escaping @Sendable (String) -> [UInt8]?,
    matches: @escaping @Sendable (String) -> [String]
  ) {
    self.variable = variable
    self.contents = contents
    self.matches = matches
  }

  /// Variables and files held in memory; `*` in a pattern matches within one path component.
  public init(variables: [String: String] = [:], files: [String: String] = [:]) {
    self.init(
      variable: { variables[$0] },
      contents: { files[$0].map { Array($0.utf8) } },
      matches: { pattern in
        guard let star = pattern.firstIndex(of: "*") else { return files.keys.contains(pattern) ? [pattern] : [] }
        let before = pattern[..<star]
        let after = pattern[pattern.index(after: star)...]
        return files.keys.filter { path in
          path.utf8.count >= before.utf8.count + after.utf8.count && path.hasPrefix(before) && path.hasSuffix(after)
            && !path.dropFirst(before.count).dropLast(after.count).contains("/")
        }.sorted()
      })
  }
}
