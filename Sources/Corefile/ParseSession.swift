/// What one parse may still spend, and where it reads from. Lives for one call of `parse`.
final class ParseSession {
  let environment: Environment
  let defaultPort: UInt16
  var emptyImports: [String] = []
  private var sourceBytes = 0
  private var expandedBytes = 0
  private var tokens = 0
  private var zones = 0

  init(environment: Environment, defaultPort: UInt16) {
    self.environment = environment
    self.defaultPort = defaultPort
  }

  func spend(sourceBytes count: Int, at location: SourceLocation) throws(CorefileError) {
    sourceBytes += count
    try check(sourceBytes, Limits.sourceBytes, "bytes of configuration", location)
  }

  func spend(expandedBytes count: Int, at location: SourceLocation) throws(CorefileError) {
    expandedBytes += count
    try check(expandedBytes, Limits.expandedBytes, "bytes from environment variables", location)
  }

  func spend(tokens count: Int, at location: SourceLocation) throws(CorefileError) {
    tokens += count
    try check(tokens, Limits.tokens, "words", location)
  }

  func spend(zones count: Int, at location: SourceLocation) throws(CorefileError) {
    zones += count
    try check(zones, Limits.zones, "zones", location)
  }

  private func check(
    _ spent: Int, _ limit: Int, _ what: String, _ location: SourceLocation
  ) throws(CorefileError) {
    if spent > limit { throw .grammar("configuration too large: more than \(limit) \(what)", at: location) }
  }
}
