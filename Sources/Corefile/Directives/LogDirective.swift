/// `log [NAMES...] [FORMAT] { class ... }`: one line per query.
public struct LogDirective: Hashable, Sendable {
  /// What kind of answer a line is written for.
  public enum Class: String, Hashable, Sendable {
    case all, success, denial, error
  }

  public var location: SourceLocation
  /// Queries for these names and those below are logged.
  public var names: [ZoneName]
  public var format: LogFormat
  /// Not empty.
  public var classes: Set<Class>
}

extension LogDirective {
  init(_ statement: Statement) throws(CorefileError) {
    let line = statement.line
    location = line.location
    format = .common
    names = []
    classes = []
    var arguments = line.arguments
    // A lone argument is a name, whatever it looks like.
    if arguments.count > 1, let last = arguments.last, last.text.contains("{") {
      format = LogFormat(last.text)
      arguments.removeLast()
    }
    for token in arguments { names.append(try line.zone(token)) }
    if names.isEmpty { names = [.root] }
    for option in statement.body {
      guard option.name.text == "class" else { throw option.unknownProperty() }
      try option.requireArguments(1...Int.max, usage: "class all|success|denial|error...")
      for token in option.arguments {
        guard let wanted = Class(rawValue: token.text) else {
          throw option.failure("invalid Class: \(token.text), expected all, success, denial or error", at: token)
        }
        classes.insert(wanted)
      }
    }
    if classes.isEmpty { classes = [.all] }
  }
}
