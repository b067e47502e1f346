import Control
import Glibc

/// Says why on standard error and ends the process.
func refuse(_ message: String, _ status: Int32) -> Never {
  let line = Array("\(message)\n".utf8)
  // The array has as many bytes as it says. Where standard error is closed there is nobody to tell.
  _ = unsafe write(STDERR_FILENO, line, line.count)
  exit(status)
}

var arguments = Array(CommandLine.arguments.dropFirst())
let isSupervised = arguments.first == "supervise"
if isSupervised { arguments.removeFirst() }
do {
  if try Inspection.run(arguments) { exit(0) }
  switch try Flags.parse(arguments) {
  case .serve(let flags) where isSupervised: Supervisor(flags, arguments).run()
  case .serve(let flags): try NodeCache(flags).run()
  case .help(let text): print(text)
  case .version: print(NodeCache.versionText)
  case .plugins: print(NodeCache.plugins)
  }
} catch let refusal as Flags.Refusal {
  refuse(refusal.message, refusal.status)
} catch let fatal as NodeCache.Fatal {
  refuse(fatal.message, fatal.status)
}
