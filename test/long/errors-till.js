// A till in trouble: prints an error with a card number five times a second, and a stack now and then.

let number = 0;
setInterval(() => {
  number += 1;
  const time = new Date().toISOString();
  console.log(`${time} ERROR receipt ${number} not printed, card 4111111111111111`);
  if (number % 5 === 0) console.log(`${time} WARN slow: ${number} ms`);
  if (number % 25 === 0) console.log(new Error(`timeout after ${number}`).stack);
}, 200);
