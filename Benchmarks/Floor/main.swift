import Glibc

// floor uring|recvmmsg PORT: answers every query to 127.0.0.1:PORT with one record, and does no DNS work for it.

func refuse(_ message: String) -> Never {
  let line = Array("\(message)\n".utf8)
  // The array has as many bytes as it says. Where standard error is closed there is nobody to tell.
  _ = unsafe write(STDERR_FILENO, line, line.count)
  exit(2)
}

let words = CommandLine.arguments.dropFirst()
guard words.count == 2, let port = UInt16(words.last!), port > 0 else {
  refuse("usage: floor uring|recvmmsg PORT")
}
do {
  switch words.first! {
  case "uring": try answerOnRing(port: port)
  case "recvmmsg": try answerInBatches(port: port)
  default: refuse("floor: expected 'uring' or 'recvmmsg', not '\(words.first!)'")
  }
} catch {
  refuse("floor: \(error); is something else listening on 127.0.0.1:\(port), or io_uring forbidden?")
}
