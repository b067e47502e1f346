import Glibc

// floor uring|recvmmsg PORT: answers every query to 127.0.0.1:PORT with one record, and does no DNS work for it.
// floor relay PORT UPSTREAM: hands every query on to 127.0.0.1:UPSTREAM by TCP, and the answer back.

func refuse(_ message: String) -> Never {
  let line = Array("\(message)\n".utf8)
  // The array has as many bytes as it says. Where standard error is closed there is nobody to tell.
  _ = unsafe write(STDERR_FILENO, line, line.count)
  exit(2)
}

let kind = CommandLine.arguments.dropFirst().first
let ports = CommandLine.arguments.dropFirst(2).map { UInt16($0) ?? 0 }
guard let kind, ports.count == (kind == "relay" ? 2 : 1), !ports.contains(0) else {
  refuse("usage: floor uring|recvmmsg PORT, or floor relay PORT UPSTREAM")
}
do {
  switch kind {
  case "uring": try answerOnRing(port: ports[0])
  case "recvmmsg": try answerInBatches(port: ports[0])
  case "relay": try relayOnRing(port: ports[0], upstream: ports[1])
  default: refuse("floor: expected 'uring', 'recvmmsg' or 'relay', not '\(kind)'")
  }
} catch {
  refuse("floor: \(error); is something else listening on 127.0.0.1:\(ports[0]), or io_uring forbidden?")
}
