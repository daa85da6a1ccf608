// Quicksort with insertion sort below 16 elements, then binary searches in the result.

let state: u32 = 1;
function random(): u32 {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

function insertionSort(values: StaticArray<i32>, low: i32, high: i32): void {
  for (let i = low + 1; i <= high; i++) {
    const value = values[i];
    let j = i - 1;
    while (j >= low && values[j] > value) {
      values[j + 1] = values[j];
      j--;
    }
    values[j + 1] = value;
  }
}

function quicksort(values: StaticArray<i32>, low: i32, high: i32): void {
  while (high - low >= 16) {
    const pivot = values[(low + high) >>> 1];
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i <= j) {
        const value = values[i];
        values[i++] = values[j];
        values[j--] = value;
      }
    }
    if (j - low < high - i) {
      quicksort(values, low, j);
      low = i;
    } else {
      quicksort(values, i, high);
      high = j;
    }
  }
  insertionSort(values, low, high);
}

function indexOf(values: StaticArray<i32>, wanted: i32): i32 {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

const values = new StaticArray<i32>(20000);

export function run(rounds: i32): i32 {
  let sum = 0;
  for (let round = 0; round < rounds; round++) {
    state = 12345 + round;
    for (let i = 0; i < values.length; i++) values[i] = random() as i32;
    quicksort(values, 0, values.length - 1);
    for (let i = 0; i < 5000; i++) sum = sum * 31 + indexOf(values, random() as i32);
  }
  return sum;
}
