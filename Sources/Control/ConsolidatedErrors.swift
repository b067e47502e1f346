import Chain
import Corefile
import Logging

/// Errors of one pattern, counted from the first on and told as one line when the window ends (errors, `consolidate`).
struct ConsolidatedErrors {
  private let directive: ErrorsDirective.Consolidation
  /// nil: not a pattern; what compiles the settings has refused it.
  private let pattern: Pattern?
  private var matches = 0
  private var endsAt = ContinuousClock.now

  init(_ directive: ErrorsDirective.Consolidation) {
    self.directive = directive
    pattern = try? Pattern(directive.pattern)
  }

  func matches(_ text: String) -> Bool { pattern?.matches(text.utf8) ?? false }

  mutating func count() {
    if matches == 0 { endsAt = .now + .nanoseconds(directive.window.nanoseconds) }
    matches += 1
  }

  /// Until the window ends, rounded up; nil: nothing was counted.
  var millisecondsLeft: Int32? {
    guard matches > 0 else { return nil }
    let left = (endsAt - .now) / .milliseconds(1)
    return Int32(max(0, min(left.rounded(.up), 60_000)))
  }

  mutating func tellIfDue(_ log: Logger) {
    guard matches > 0, ContinuousClock.now >= endsAt else { return }
    let level: Logger.Level =
      switch directive.level {
      case .warning: .warning
      case .error: .error
      case .info: .info
      case .debug: .debug
      }
    log.log(level: level, "\(matches) errors like '\(directive.pattern)' occurred in last \(directive.window)")
    matches = 0
  }
}
