/**
 * Being a child of `shardrive up`: the channel that Node opens between parent and child says when the parent has gone, also
 * when it was killed; what we have to say (ready, a failure) goes the other way. Without a parent nothing of this happens.
 */

/** Calls `onGone` once when the parent process ends. */
export function followParent(onGone: () => void): void {
  // A daemon in the background outlives the command that started it.
  if (process.send === undefined || process.env.SHARDRIVE_BACKGROUND === '1') return
  process.once('disconnect', onGone)
}

export function tellParent(message: { ready: object } | { failed: object }): void {
  if (process.send === undefined || !process.connected) return
  process.send(message, undefined, undefined, () => undefined)
}

/** The channel keeps a process alive; without it we end as soon as nothing else is open. */
export function leaveParent(): void {
  if (process.send !== undefined && process.connected) process.disconnect()
}
