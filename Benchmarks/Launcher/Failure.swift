/// What went wrong, and what to do about it: one line for the user.
struct Failure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
