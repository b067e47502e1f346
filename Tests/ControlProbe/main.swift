import Control
import Glibc

// A small process for the tests to look at from outside: `ControlProbe <part> [arguments]`. Run by hand, `serve` shows
// the size and memory of a process that has all of Control's parts and nothing else.

let arguments = Array(CommandLine.arguments.dropFirst(2))

func write(_ text: String, to file: Int32) {
  let bytes = Array(text.utf8)
  // Sound: the array has as many bytes as it says.
  _ = unsafe Glibc.write(file, bytes, bytes.count)
}

/// Prints what the flags ask for, or refuses them as the daemon does.
func showFlags() -> Int32 {
  do {
    switch try Flags.parse(arguments) {
    case .serve(let flags): write("\(flags)\n", to: STDOUT_FILENO)
    case .help(let text): write("\(text)\n", to: STDOUT_FILENO)
    case .version: write("version\n", to: STDOUT_FILENO)
    case .plugins: write("plugins\n", to: STDOUT_FILENO)
    }
    return 0
  } catch {
    write("\(error.message)\n", to: STDERR_FILENO)
    return error.status
  }
}

/// Writes one line for each signal; ends with SIGQUIT.
func showSignals() -> Never {
  Signals.block()
  let log = ProcessLog()
  log.coreStarted()
  Signals.deliver { signal in
    log.output.write("\(signal)")
    log.flush()
    if signal == .quit { exit(0) }
  }
  log.output.write("ready")
  while true { pause() }
}

/// Writes `count` lines of 100 bytes as fast as it can, then says on standard error how many were dropped and how many
/// milliseconds that took; the milliseconds must not depend on who reads standard output.
func flood(_ count: Int) -> Never {
  Signals.block()
  let log = ProcessLog()
  log.coreStarted()
  let line = String(repeating: "x", count: 99)
  let start = ContinuousClock.now
  for _ in 0..<count { log.output.write(line) }
  let took = ContinuousClock.now - start
  log.flush(within: .milliseconds(500))
  log.errors.write("\(log.droppedLines) \(took / .milliseconds(1))")
  log.errors.flush()
  exit(0)
}

/// Logs before and after the start of the core.
func showLog() -> Int32 {
  let log = ProcessLog()
  log.logger().info("Starting node-cache image: UNKNOWN")
  log.coreStarted()
  log.logger("plugin/reload").info("Running configuration SHA512 = 00")
  log.logger().warning("w", metadata: ["key": "value"])
  log.logger().critical("f")
  log.logger().debug("d")
  log.flush()
  return 0
}

/// Serves health and metrics until it is killed.
func serve(_ address: String) -> Int32 {
  Signals.block()
  Signals.deliver { if $0 == .terminate { exit(0) } }
  let log = ProcessLog()
  let thread = HTTPThread()
  let setupErrors = SetupErrors()
  do {
    let routes: [String: HTTPEndpoint.Handler] = [
      "/health": { HTTPResponse(body: Array("OK".utf8)) },
      "/metrics": {
        var exposition = Exposition()
        ProcessMetrics.add(to: &exposition)
        setupErrors.add(to: &exposition)
        return HTTPResponse(contentType: Exposition.contentType, body: exposition.text())
      },
    ]
    let endpoint = try HTTPEndpoint(on: thread, addresses: [address], reusePort: true, routes: routes)
    log.logger().info("\(endpoint.addresses)")
  } catch {
    log.logger().error("\(error)")
    log.flush()
    return 1
  }
  while true { pause() }
}

switch CommandLine.arguments.dropFirst().first {
case "flags": exit(showFlags())
case "signals": showSignals()
case "flood": flood(arguments.first.flatMap { Int($0) } ?? 0)
case "log": exit(showLog())
case "serve": exit(serve(arguments.first ?? "127.0.0.1:0"))
default: exit(64)
}
