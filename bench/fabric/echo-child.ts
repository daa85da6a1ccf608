/** A process that sends back what it gets: the least that a pool of processes costs. */
process.on('message', (message) => void process.send!(message));
