import Glibc
import Logging
import Synchronization

/// Where the log goes and in which form: as node-cache, dated lines on standard error until the core has started,
/// then lines without a date on standard output, where the container's runtime dates them.
public final class ProcessLog: Sendable {
  public let output: LogWriter
  public let errors: LogWriter
  private let hasStarted = Atomic<Bool>(false)

  /// - Parameters: descriptors of the two outputs.
  public init(output: Int32 = STDOUT_FILENO, errors: Int32 = STDERR_FILENO) {
    self.output = LogWriter(file: output)
    self.errors = LogWriter(file: errors)
  }

  /// From here on lines go to standard output, without a date.
  public func coreStarted() { hasStarted.store(true, ordering: .relaxed) }

  /// A logger for CoreDNS's own lines (label "") or for a plugin's (label "plugin/reload").
  public func logger(_ label: String = "") -> Logger {
    Logger(label: label) { LineHandler(label: $0, log: self) }
  }

  /// Lines lost by both outputs, since start.
  public var droppedLines: Int { output.droppedLines + errors.droppedLines }

  /// Before an exit: waits until everything is written, but no longer than `limit` for each output.
  public func flush(within limit: Duration = .seconds(1)) {
    output.flush(within: limit)
    errors.flush(within: limit)
  }

  func write(_ line: String) {
    if hasStarted.load(ordering: .relaxed) { output.write(line) } else { errors.write("\(Self.date()) \(line)") }
  }

  /// Local time as `2026/11/22 19:58:19`.
  private static func date() -> String {
    var seconds = time(nil)
    var parts = unsafe tm()
    // Sound: both live through the call; of the parts only numbers are read.
    unsafe localtime_r(&seconds, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let day = unsafe "\(parts.tm_year + 1900)/\(two(parts.tm_mon + 1))/\(two(parts.tm_mday))"
    return unsafe "\(day) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
  }
}

/// swift-log's end of a `ProcessLog`: `[INFO] plugin/reload: message key=value`.
struct LineHandler: LogHandler {
  let label: String
  let log: ProcessLog
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  init(label: String, log: ProcessLog) {
    self.label = label
    self.log = log
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var line = "[\(Self.name(event.level))] "
    if !label.isEmpty { line += "\(label): " }
    line += event.message.description
    let fields = metadata.merging(event.metadata ?? [:]) { $1 }
    for (key, value) in fields.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(value)" }
    log.write(line)
  }

  /// CoreDNS has five levels (plugin/pkg/log).
  private static func name(_ level: Logger.Level) -> String {
    switch level {
    case .trace, .debug: "DEBUG"
    case .info, .notice: "INFO"
    case .warning: "WARNING"
    case .error: "ERROR"
    case .critical: "FATAL"
    }
  }
}
