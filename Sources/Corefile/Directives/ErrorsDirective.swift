/// `errors [stdout] { ... }`: logs queries that end in an error.
public struct ErrorsDirective: Hashable, Sendable {
  /// Errors that match are counted for a while and logged as one line.
  public struct Consolidation: Hashable, Sendable {
    public var window: TimeSpan
    /// In RE2 syntax, not compiled here.
    public var pattern: String
    public var level: LogLevel
  }

  public var location: SourceLocation
  public var logsStackTraces = false
  /// In order: the first that matches counts.
  public var consolidations: [Consolidation] = []
}

public enum LogLevel: String, Hashable, Sendable {
  case warning, error, info, debug
}

extension ErrorsDirective {
  init(_ statement: Statement) throws(CorefileError) {
    let line = statement.line
    location = line.location
    try line.requireArguments(0...1, usage: "errors [stdout]")
    if let file = line.arguments.first, file.text != "stdout" {
      throw line.failure("invalid log file: \(file.text)", at: file)
    }
    for option in statement.body {
      switch option.name.text {
      case "stacktrace":
        try option.requireNoArguments()
        logsStackTraces = true
      case "consolidate": consolidations.append(try Consolidation(option))
      default: throw option.failure("Unknown field \(option.name.text)")
      }
    }
  }
}

extension ErrorsDirective.Consolidation {
  fileprivate init(_ option: Line) throws(CorefileError) {
    try option.requireArguments(2...3, usage: "consolidate DURATION REGEXP [LEVEL]")
    let arguments = Array(option.arguments)
    window = try option.timeSpan(arguments[0])
    pattern = try option.pattern(arguments[1])
    level = .error
    if arguments.count > 2 {
      guard let wanted = LogLevel(rawValue: arguments[2].text) else {
        throw option.failure(
          "unknown log level argument in consolidate: \(arguments[2].text), expected warning, error, info or debug",
          at: arguments[2])
      }
      level = wanted
    }
  }
}
