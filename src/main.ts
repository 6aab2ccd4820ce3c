#!/usr/bin/env node
/**
 * The one program: three modes (mount, host, bridge) and the commands around them. Everything else is loaded when a
 * command asks for it, so that help and errors of usage appear at once.
 */
import { runCommandLine } from './app/cli.js'

void runCommandLine(process.argv.slice(2))
